#include "contract/memory.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <stdexcept>

#include "duet/plugin/transport.h"

namespace duet::contract {
namespace {

const std::string kCuda = "cuda:";

/// The driver's calls by their names in the library, with the types that they have in its ABI: the suite is
/// built without CUDA's headers.
class CudaMemory final : public DeviceMemory, public std::enable_shared_from_this<CudaMemory> {
 public:
  explicit CudaMemory(const std::string& library)
      : library_(library), handle_(dlopen(library.c_str(), RTLD_NOW)) {
    if (handle_ == nullptr) throw std::runtime_error(std::string("cuda memory: ") + dlerror());
  }

  ~CudaMemory() override {
    for (const auto& [device, held] : contexts_)
      call<int(int)>("cuDevicePrimaryCtxRelease_v2")(device);
  }

  std::int32_t kind() const override { return DUET_MEMORY_CUDA; }
  std::uint64_t capability() const override { return DUET_CAPABILITY_CUDA_MEMORY; }
  std::string text() const override { return kCuda + library_; }

  std::shared_ptr<void> allocate(int device, std::uint64_t bytes) override {
    const Current current(*this, device);
    std::uintptr_t at = 0;
    require("cuMemAlloc", call<int(std::uintptr_t*, std::size_t)>("cuMemAlloc_v2")(&at, bytes));
    return {reinterpret_cast<void*>(at), [self = shared_from_this(), device](void* piece) {
              const Current there(*self, device);
              self->call<int(std::uintptr_t)>("cuMemFree_v2")(reinterpret_cast<std::uintptr_t>(piece));
            }};
  }
  void copy_in(int device, void* to, const void* from, std::uint64_t bytes) override {
    const Current current(*this, device);
    require("cuMemcpyHtoD", call<int(std::uintptr_t, const void*, std::size_t)>("cuMemcpyHtoD_v2")(
                                reinterpret_cast<std::uintptr_t>(to), from, bytes));
  }
  void copy_out(int device, void* to, const void* from, std::uint64_t bytes) override {
    const Current current(*this, device);
    require("cuMemcpyDtoH", call<int(void*, std::uintptr_t, std::size_t)>("cuMemcpyDtoH_v2")(
                                to, reinterpret_cast<std::uintptr_t>(from), bytes));
  }

 private:
  /// The device's context in this thread, for a scope.
  struct Current {
    Current(CudaMemory& memory, int device) : owner(memory) {
      owner.require("cuCtxPushCurrent", owner.call<int(void*)>("cuCtxPushCurrent_v2")(owner.context(device)));
    }
    ~Current() {
      void* popped = nullptr;
      owner.call<int(void**)>("cuCtxPopCurrent_v2")(&popped);
    }
    CudaMemory& owner;
  };

  template <typename Signature>
  Signature* call(const char* name) {
    void* const symbol = dlsym(handle_, name);
    if (symbol == nullptr) throw std::runtime_error(std::string("cuda memory: no ") + name);
    return reinterpret_cast<Signature*>(symbol);
  }
  void require(const char* what, int result) {
    if (result != 0)
      throw std::runtime_error(std::string("cuda memory: ") + what + ": " + std::to_string(result));
  }
  void* context(int device) {
    const std::lock_guard lock(mutex_);
    if (contexts_.empty()) require("cuInit", call<int(unsigned)>("cuInit")(0));
    // A device's handle is its ordinal.
    void*& found = contexts_[device];
    if (found == nullptr) {
      require("cuDevicePrimaryCtxRetain", call<int(void**, int)>("cuDevicePrimaryCtxRetain")(&found, device));
    }
    return found;
  }

  const std::string library_;
  void* handle_;
  std::mutex mutex_;
  std::map<int, void*> contexts_;
};

}  // namespace

std::shared_ptr<DeviceMemory> device_memory(const std::string& text) {
  if (!text.starts_with(kCuda) || text == kCuda)
    throw std::invalid_argument("\"" + text + "\" is no kind of memory: \"cuda:LIBRARY\" is known");
  return std::make_shared<CudaMemory>(text.substr(kCuda.size()));
}

}  // namespace duet::contract
