#include "device/registry.h"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "duet/error.h"
#include "support/log.h"
#include "support/own_library.h"

namespace duet::device {
namespace {

constexpr const char* kLibrary = "libduet_cuda.so";

/// What is known of a kind. Never destroyed: the library is never unloaded, and threads may outlive main().
struct Known {
  std::mutex mutex;
  Backend* replacement = nullptr;  // a test's
  Backend* loaded = nullptr;
  std::map<std::pair<Backend*, int>, std::weak_ptr<Device>> devices;  // those in use
};

Known& known() {
  static Known* const all = new Known;
  return *all;
}

std::vector<std::string> places() {
  // Not in a set-user-id program: there the environment is the caller's, not the owner's.
  if (const char* named = secure_getenv("DUET_CUDA_LIBRARY"); named != nullptr && *named != '\0')
    return {named};
  return support::own_library_places(kLibrary);
}

}  // namespace

Backend* load_library(const std::vector<std::string>& paths) {
  auto [handle, path, report] = support::load_own_library(paths);
  if (handle != nullptr) {
    const auto entry = reinterpret_cast<BackendFunction>(dlsym(handle, kBackendSymbol));
    if (entry == nullptr) {
      report += fmt::format("\n  {}: has no symbol {}", path, kBackendSymbol);
    } else {
      std::array<char, 512> reason{};
      Backend* const backend = entry(kInterfaceVersion, reason.data(), reason.size());
      if (backend != nullptr) return backend;
      report += fmt::format("\n  {}: {}", path, reason.data());
    }
  }
  throw ConfigurationError(fmt::format(
      "a buffer is in CUDA memory, and there is nothing here to drive a CUDA device; looked at:{}\n"
      "Install Duet with its CUDA part (DUET_CUDA=ON) on a machine with an NVIDIA driver, or train in host "
      "memory.",
      report));
}

std::shared_ptr<Device> open(DeviceKind kind, int index) {
  if (kind != DeviceKind::kCuda) throw ConfigurationError("only CUDA devices can be opened");
  Known& all = known();
  const std::lock_guard lock(all.mutex);
  Backend* backend = all.replacement;
  if (backend == nullptr) {
    if (all.loaded == nullptr) all.loaded = load_library(places());
    backend = all.loaded;
  }
  int count = 0;
  if (!backend->count(&count)) {
    throw ConfigurationError(
        fmt::format("a buffer is in CUDA memory, and there is no CUDA device here: {}. Is an NVIDIA driver "
                    "installed, and recent enough?",
                    backend->failure()));
  }
  if (count == 0) {
    throw ConfigurationError(
        "a buffer is in CUDA memory, and there is no CUDA device here: the driver sees none. Is "
        "CUDA_VISIBLE_DEVICES right?");
  }
  if (index < 0 || index >= count) {
    throw ConfigurationError(
        fmt::format("a buffer names the device cuda:{}, but this process sees {} of them", index, count));
  }
  std::weak_ptr<Device>& in_use = all.devices[{backend, index}];
  if (auto device = in_use.lock()) return device;
  std::array<char, 256> text{};
  const bool described = backend->describe(index, text.data(), text.size());
  auto device = std::make_shared<Device>(
      *backend, index,
      described ? fmt::format("cuda:{} ({})", index, text.data()) : fmt::format("cuda:{}", index));
  in_use = device;
  return device;
}

void use_backend(DeviceKind, Backend* backend) {
  Known& all = known();
  const std::lock_guard lock(all.mutex);
  all.replacement = backend;
}

}  // namespace duet::device
