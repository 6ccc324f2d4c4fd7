#include "support/own_library.h"

#include <dlfcn.h>

#include <filesystem>
#include <system_error>

#include "support/log.h"

namespace duet::support {

namespace fs = std::filesystem;

std::vector<std::string> own_library_places(const char* name) {
  std::vector<std::string> found;
  std::error_code ignored;
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_library_places), &info) != 0 && info.dli_fname != nullptr) {
    const fs::path directory = fs::canonical(info.dli_fname, ignored).parent_path();
    found.push_back((directory / name).string());
  }
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  found.push_back((program / "../lib" / name).lexically_normal().string());
  return found;
}

OwnLibrary load_own_library(const std::vector<std::string>& paths) {
  OwnLibrary library;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (!path.starts_with('/')) {
      library.report += fmt::format("\n  {}: not an absolute path", path);
      continue;
    }
    if (!fs::exists(path, ignored)) {
      library.report += fmt::format("\n  {}: no such file", path);
      continue;
    }
    library.path = path;
    library.handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library.handle == nullptr) {
      const char* text = dlerror();
      library.report += fmt::format("\n  {}: {}", path, text == nullptr ? "dlopen failed" : text);
    }
    break;
  }
  return library;
}

}  // namespace duet::support
