#include "worker/exporter_library.h"

#include <dlfcn.h>

#include <cstring>
#include <filesystem>
#include <system_error>

#include "duet/worker.h"
#include "support/log.h"

namespace duet::worker {
namespace {

namespace fs = std::filesystem;

/// Its SONAME counts with libduet's: one version of both (docs/compatibility.md).
constexpr const char* kLibrary = "libduet_exporter.so.1";

/// Beside libduet.so, or where a program that holds it statically has its libraries.
std::vector<std::string> places() {
  std::vector<std::string> found;
  std::error_code ignored;
  Dl_info info{};
  void (Worker::*const member)(const std::string&) = &Worker::set_metrics_address;
  void* address = nullptr;
  std::memcpy(&address, &member, sizeof address);
  if (dladdr(address, &info) != 0 && info.dli_fname != nullptr) {
    const fs::path directory = fs::canonical(info.dli_fname, ignored).parent_path();
    found.push_back((directory / kLibrary).string());
  }
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  found.push_back((program / "../lib" / kLibrary).lexically_normal().string());
  return found;
}

}  // namespace

std::shared_ptr<void> start_exporter(Worker& worker) {
  return start_exporter(worker, places());
}

std::shared_ptr<void> start_exporter(Worker& worker, const std::vector<std::string>& paths) {
  std::string report;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      report += fmt::format("\n  {}: no such file", path);
      continue;
    }
    // Never unloaded: its threads may be on their way out.
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* text = dlerror();
      report += fmt::format("\n  {}: {}", path, text == nullptr ? "dlopen failed" : text);
      break;
    }
    const auto start = reinterpret_cast<void* (*)(Worker*)>(dlsym(handle, "duet_exporter_start"));
    const auto stop = reinterpret_cast<void (*)(void*)>(dlsym(handle, "duet_exporter_stop"));
    if (start == nullptr || stop == nullptr) {
      report += fmt::format("\n  {}: is no exporter of Duet", path);
      break;
    }
    if (void* const exporter = start(&worker)) return {exporter, stop};
    report += fmt::format("\n  {}: did not start", path);
    break;
  }
  support::warning(
      "rank {}: no metrics, although metrics_port asks for them: there is no usable {}; looked at:{}\n"
      "Install Duet with its exporter (DUET_EXPORTER=ON); training goes on without",
      worker.rank(), kLibrary, report);
  return nullptr;
}

}  // namespace duet::worker
