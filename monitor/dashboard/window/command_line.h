#pragma once

#include <QSize>
#include <optional>
#include <string>

#include "dashboard/window/theme.h"
#include "duet/observer/source.h"

namespace duet::dashboard {

/// What the program was asked for, checked.
struct CommandLine {
  std::string connect;  ///< an address
  std::string
      secret;        ///< of the run: from the environment, never from the command line, which others can read
  std::string open;  ///< a recording
  bool demo = false;
  observer::DemoOptions demo_options;
  std::string record;
  bool overwrite = false;
  double buffer_seconds = 3600.0;
  std::optional<double> window_seconds;
  std::optional<ThemeChoice> theme;
  QSize size{1280, 720};
  bool size_given = false;
  std::string screenshot;
  std::string export_csv;
  double after = 60.0;  ///< seconds of the run until the picture is taken

  /// Nobody looks: no window, no display needed.
  bool headless() const { return !screenshot.empty() || !export_csv.empty(); }
};

struct CommandLineResult {
  CommandLine options;
  /// Set: the program ends at once with it; `text` is for the terminal.
  std::optional<int> exit_code;
  std::string text;
};

/// Pure but for DUET_SECRET.
CommandLineResult parse_command_line(int argc, const char* const* argv);

}  // namespace duet::dashboard
