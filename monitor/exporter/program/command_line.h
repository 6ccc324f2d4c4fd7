#pragma once

#include <optional>
#include <string>

#include "duet/observer/source.h"
#include "run_view.h"

namespace duet::exporter {

constexpr int kRunPort = 29600;

struct CommandLine {
  observer::LiveOptions live;
  RunViewOptions view;
  std::string bind = "127.0.0.1";
  int port = kRunPort;
};

/// nullopt: nothing is left to do (help, a wrong option; all is said), and `exit_code` is the program's.
/// Reads DUET_SECRET. Throws ConfigurationError when the file of the secret cannot be read.
std::optional<CommandLine> read_command_line(int argc, char** argv, int& exit_code);

}  // namespace duet::exporter
