#include "run/program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

namespace duet::run {
namespace {

enum class Kind { kMissing, kNotExecutable, kProgram };

Kind look_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Kind::kMissing;
  if (!S_ISREG(status.st_mode) || ::access(path.c_str(), X_OK) != 0) return Kind::kNotExecutable;
  return Kind::kProgram;
}

}  // namespace

ProgramSearch find_program(const std::string& name, const std::string& search_path) {
  ProgramSearch not_executable{"", name + " is not an executable file", 126};
  if (name.find('/') != std::string::npos) {
    switch (look_at(name)) {
      case Kind::kProgram:
        return {name, "", 0};
      case Kind::kNotExecutable:
        return not_executable;
      case Kind::kMissing:
        return {"", "there is no program " + name, 127};
    }
  }
  bool seen = false;
  for (std::size_t at = 0; at <= search_path.size();) {
    const std::size_t end = std::min(search_path.find(':', at), search_path.size());
    std::string path = end == at ? "." : search_path.substr(at, end - at);
    path.append("/").append(name);
    const Kind kind = look_at(path);
    if (kind == Kind::kProgram) return {path, "", 0};
    seen = seen || kind == Kind::kNotExecutable;
    at = end + 1;
  }
  if (seen) return not_executable;
  return {"",
          "there is no program " + name + " in PATH; give a path, such as ./" + name +
              ", for one that is elsewhere",
          127};
}

}  // namespace duet::run
