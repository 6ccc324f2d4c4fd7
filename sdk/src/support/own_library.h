#pragma once

#include <string>
#include <vector>

namespace duet::support {

/// Absolute paths where a library of Duet's own may be that is loaded when somebody asks for it: beside
/// libduet.so, then where a program that holds Duet statically has its libraries.
std::vector<std::string> own_library_places(const char* name);

struct OwnLibrary {
  void* handle = nullptr;  ///< as of dlopen(); never unloaded: its threads may be on their way out
  std::string path;        ///< where it was found
  std::string report;  ///< of each path that was looked at in vain why, each a line that begins with "\n  "
};

/// Loads the first of `paths` that is there. It decides, as with plugins: what runs must not depend on what
/// else failed.
OwnLibrary load_own_library(const std::vector<std::string>& paths);

}  // namespace duet::support
