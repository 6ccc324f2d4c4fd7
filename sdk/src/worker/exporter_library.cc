#include "worker/exporter_library.h"

#include <dlfcn.h>

#include "duet/worker.h"
#include "support/log.h"
#include "support/own_library.h"

namespace duet::worker {
namespace {

/// Its SONAME counts with libduet's: one version of both (docs/compatibility.md).
constexpr const char* kLibrary = "libduet_exporter.so.1";

}  // namespace

std::shared_ptr<void> start_exporter(Worker& worker) {
  return start_exporter(worker, support::own_library_places(kLibrary));
}

std::shared_ptr<void> start_exporter(Worker& worker, const std::vector<std::string>& paths) {
  auto [handle, path, report] = support::load_own_library(paths);
  if (handle != nullptr) {
    const auto start = reinterpret_cast<void* (*)(Worker*)>(dlsym(handle, "duet_exporter_start"));
    const auto stop = reinterpret_cast<void (*)(void*)>(dlsym(handle, "duet_exporter_stop"));
    if (start == nullptr || stop == nullptr) {
      report += fmt::format("\n  {}: is no exporter of Duet", path);
    } else if (void* const exporter = start(&worker)) {
      return {exporter, stop};
    } else {
      report += fmt::format("\n  {}: did not start", path);
    }
  }
  support::warning(
      "rank {}: no metrics, although metrics_port asks for them: there is no usable {}; looked at:{}\n"
      "Install Duet with its exporter (DUET_EXPORTER=ON); training goes on without",
      worker.rank(), kLibrary, report);
  return nullptr;
}

}  // namespace duet::worker
