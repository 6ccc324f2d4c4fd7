#pragma once

#include <memory>
#include <optional>
#include <string>

#include "duet/observer/observer.h"

namespace duet::top {

struct CommandLine {
  std::string connect;  ///< one of these three is given
  std::string open;
  bool demo = false;
  observer::DemoOptions demo_options;

  std::string record;
  bool overwrite = false;
  std::string secret;
  bool once = false;
  bool json = false;
  double patience = 10.0;  ///< seconds that --once waits for workers
  double speed = 1.0;
  double at = -1.0;  ///< --once: seconds to watch, or from the beginning of what is played; < 0: not given
  bool colours = true;
};

/// nullopt: nothing is left to do (help, a wrong option; all is said), and `exit_code` is the program's.
/// Reads DUET_SECRET and NO_COLOR.
std::optional<CommandLine> read_command_line(int argc, char** argv, int& exit_code);

/// Throws ConfigurationError.
std::unique_ptr<observer::Source> make_source(const CommandLine& options);

}  // namespace duet::top
