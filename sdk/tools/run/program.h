#pragma once

#include <string>

namespace duet::run {

/// What the user must hear, and the exit code that goes with it (as a shell's: 127 not found, 126 not
/// executable).
struct ProgramSearch {
  std::string path;  ///< empty: not to be started
  std::string error;
  int exit_code = 0;
};

/// As a shell finds it: `name` with a slash is a path, otherwise the directories of `search_path` are asked
/// in order.
ProgramSearch find_program(const std::string& name, const std::string& search_path);

}  // namespace duet::run
