#include "cuda_driver.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <type_traits>
#include <utility>

#include "failure.h"

namespace duet::libfabric {

namespace {

// The driver's ABI, as cuda.h has it; stable since CUDA 4.
using Result = int;
using Context = void*;
using Event = void*;
using DevicePointer = unsigned long long;
constexpr Result kSuccess = 0;
constexpr Result kNotReady = 600;
constexpr unsigned kDisableTiming = 2;

struct Functions {
  Result (*init)(unsigned flags) = nullptr;
  Result (*device_count)(int* count) = nullptr;
  Result (*retain_context)(Context* context, int device) = nullptr;
  Result (*push_context)(Context context) = nullptr;
  Result (*pop_context)(Context* context) = nullptr;
  Result (*create_event)(Event* event, unsigned flags) = nullptr;
  Result (*record_event)(Event event, void* stream) = nullptr;
  Result (*query_event)(Event event) = nullptr;
  Result (*destroy_event)(Event event) = nullptr;
  Result (*allocate)(DevicePointer* memory, std::size_t bytes) = nullptr;
  Result (*free)(DevicePointer memory) = nullptr;

  /// "": all found.
  std::string load(void* library) {
    std::string missing;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      if (function == nullptr && missing.empty()) {
        missing = name;
      }
    };
    find(init, "cuInit");
    find(device_count, "cuDeviceGetCount");
    find(retain_context, "cuDevicePrimaryCtxRetain");
    find(push_context, "cuCtxPushCurrent_v2");
    find(pop_context, "cuCtxPopCurrent_v2");
    find(create_event, "cuEventCreate");
    find(record_event, "cuEventRecord");
    find(query_event, "cuEventQuery");
    find(destroy_event, "cuEventDestroy_v2");
    find(allocate, "cuMemAlloc_v2");
    find(free, "cuMemFree_v2");
    return missing;
  }
};

void check(Result result, const char* what) {
  if (result != kSuccess) {
    throw FailureError(Failure{DUET_DEVICE_ERROR, result,
                               std::string("CUDA: ") + what + " failed (" + std::to_string(result) + ")"});
  }
}

class Driver final : public CudaDriver {
 public:
  Driver(const Functions& functions, int devices) : functions_(functions), devices_(devices) {}

  int devices() const override { return devices_; }

  std::unique_ptr<StreamMark> mark(int device, void* stream) override {
    const Current current(*this, device);
    auto mark = std::make_unique<Mark>(*this, device);
    check(functions_.create_event(&mark->event, kDisableTiming), "cuEventCreate");
    check(functions_.record_event(mark->event, stream), "cuEventRecord");
    return mark;
  }

  std::shared_ptr<void> allocate(int device, std::uint64_t bytes) override {
    const Current current(*this, device);
    DevicePointer memory = 0;
    check(functions_.allocate(&memory, bytes), "cuMemAlloc");
    const auto free = [this, device, memory](void*) noexcept {
      try {
        const Current here(*this, device);
        functions_.free(memory);
      } catch (const FailureError&) {
        // The device is gone, and its memory with it.
      }
    };
    return {reinterpret_cast<void*>(memory), free};  // NOLINT(performance-no-int-to-ptr)
  }

 private:
  /// A device's primary context made current, for a scope.
  class Current {
   public:
    Current(Driver& driver, int device) : driver_(driver) {
      check(driver.functions_.push_context(driver.context_of(device)), "cuCtxPushCurrent");
    }
    ~Current() {
      Context popped = nullptr;
      driver_.functions_.pop_context(&popped);
    }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    Driver& driver_;
  };

  struct Mark final : StreamMark {
    Mark(Driver& its_driver, int its_device) : driver(its_driver), device(its_device) {}
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;
    ~Mark() override {
      if (event != nullptr) {
        driver.functions_.destroy_event(event);
      }
    }
    bool passed() override {
      const Current current(driver, device);
      const Result result = driver.functions_.query_event(event);
      if (result == kNotReady) {
        return false;
      }
      check(result, "cuEventQuery");
      return true;
    }
    Driver& driver;
    int device;
    Event event = nullptr;
  };

  /// Retained until the process ends, like the driver itself.
  Context context_of(int device) {
    const std::lock_guard lock(mutex_);
    Context& context = contexts_[device];
    if (context == nullptr) {
      check(functions_.retain_context(&context, device), "cuDevicePrimaryCtxRetain");
    }
    return context;
  }

  Functions functions_;
  int devices_;
  std::mutex mutex_;  // contexts of different threads share the driver
  std::map<int, Context> contexts_;
};

struct Loaded {
  std::unique_ptr<CudaDriver> driver;
  std::string reason;
};

Loaded load() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return {nullptr, "no CUDA driver (libcuda.so.1)"};
  }
  Functions functions;
  if (const std::string missing = functions.load(library); !missing.empty()) {
    return {nullptr, "the CUDA driver has no " + missing};
  }
  int devices = 0;
  if (functions.init(0) != kSuccess || functions.device_count(&devices) != kSuccess || devices == 0) {
    return {nullptr, "no CUDA device"};
  }
  return {std::make_unique<Driver>(functions, devices), {}};
}

}  // namespace

CudaDriver* CudaDriver::get(std::string* reason) {
  static Loaded* const loaded = new Loaded(load());  // never unloaded: other threads may still use it
  if (reason != nullptr) {
    *reason = loaded->reason;
  }
  return loaded->driver.get();
}

}  // namespace duet::libfabric
