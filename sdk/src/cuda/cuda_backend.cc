#include "cuda/cuda_backend.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstring>

#include "cuda/kernels.h"

namespace duet::cuda {
namespace {

/// No std::string: nothing of this library may throw.
thread_local char g_failure[256] = "";

bool report(cudaError_t error) {
  if (error == cudaSuccess) return true;
  // An error that is not the device's end must not turn up again in somebody else's check.
  (void)cudaGetLastError();
  std::snprintf(g_failure, sizeof g_failure, "%s (%s)", cudaGetErrorString(error), cudaGetErrorName(error));
  return false;
}

/// Whether the calling thread has a context of a device. Since CUDA 12, to set a device makes its context,
/// half a gigabyte of it: for a thread that never chose a device (cudaGetDevice says 0 then) there is nothing
/// to restore. Asked of the driver, which the runtime has loaded by then.
bool has_context() {
  using Get = int (*)(void** context);
  static const auto get = [] {
    void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    return reinterpret_cast<Get>(driver == nullptr ? nullptr : dlsym(driver, "cuCtxGetCurrent"));
  }();
  void* context = nullptr;
  return get != nullptr && get(&context) == 0 && context != nullptr;
}

/// Makes a device current for a scope: the embedder's own choice must not change under its feet. Nor must its
/// capturing a graph in another thread fail because of what is asked here.
class Current {
 public:
  explicit Current(int index) {
    error_ = cudaThreadExchangeStreamCaptureMode(&mode_);
    if (error_ != cudaSuccess) return;
    captures_ = true;
    error_ = cudaGetDevice(&before_);
    if (error_ != cudaSuccess || before_ == index) return;
    restores_ = has_context();
    error_ = cudaSetDevice(index);
  }
  ~Current() {
    if (restores_) (void)cudaSetDevice(before_);
    if (captures_) (void)cudaThreadExchangeStreamCaptureMode(&mode_);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
  cudaError_t error() const { return error_; }

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeThreadLocal;
  int before_ = 0;
  bool captures_ = false;
  bool restores_ = false;
  cudaError_t error_ = cudaSuccess;
};

template <class Call>
bool on(int index, const Call& call) {
  const Current current(index);
  return report(current.error() == cudaSuccess ? call() : current.error());
}

cudaStream_t stream_of(void* stream) {
  return static_cast<cudaStream_t>(stream);
}
cudaEvent_t event_of(void* event) {
  return static_cast<cudaEvent_t>(event);
}

}  // namespace

const char* CudaBackend::failure() const {
  return g_failure;
}

bool CudaBackend::count(int* devices) {
  *devices = 0;
  const cudaError_t error = cudaGetDeviceCount(devices);
  if (error == cudaErrorNoDevice) {
    (void)cudaGetLastError();
    *devices = 0;
    return true;
  }
  return report(error);
}

bool CudaBackend::describe(int index, char* text, std::size_t bytes) {
  cudaDeviceProp properties{};
  if (!report(cudaGetDeviceProperties(&properties, index))) return false;
  std::snprintf(text, bytes, "%s", properties.name);
  return true;
}

int CudaBackend::owner(const void* data) {
  cudaPointerAttributes attributes{};
  if (!report(cudaPointerGetAttributes(&attributes, data))) return -1;
  // Managed memory lies wherever it was last touched; its device is the one that it was allocated for.
  const bool on_device = attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged;
  return on_device ? attributes.device : -1;
}

bool CudaBackend::allocate(int index, std::size_t bytes, void** memory) {
  return on(index, [&] {
    const cudaError_t error = cudaMalloc(memory, bytes);
    if (error != cudaSuccess) return error;
    // On a stream of its own: the default stream would wait for the embedder's work.
    cudaStream_t stream = nullptr;
    cudaError_t cleared = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    if (cleared == cudaSuccess) cleared = cudaMemsetAsync(*memory, 0, bytes, stream);
    if (cleared == cudaSuccess) cleared = cudaStreamSynchronize(stream);
    if (stream != nullptr) (void)cudaStreamDestroy(stream);
    if (cleared != cudaSuccess) (void)cudaFree(*memory);
    return cleared;
  });
}

void CudaBackend::deallocate(int index, void* memory) {
  (void)on(index, [&] { return cudaFree(memory); });
}

bool CudaBackend::allocate_pinned(int index, std::size_t bytes, void** memory) {
  return on(index, [&] {
    const cudaError_t error = cudaHostAlloc(memory, bytes, cudaHostAllocPortable);
    if (error == cudaSuccess) std::memset(*memory, 0, bytes);
    return error;
  });
}

void CudaBackend::deallocate_pinned(int index, void* memory) {
  (void)on(index, [&] { return cudaFreeHost(memory); });
}

bool CudaBackend::make_stream(int index, void** stream) {
  return on(index, [&] {
    return cudaStreamCreateWithFlags(reinterpret_cast<cudaStream_t*>(stream), cudaStreamNonBlocking);
  });
}

void CudaBackend::destroy_stream(int index, void* stream) {
  (void)on(index, [&] { return cudaStreamDestroy(stream_of(stream)); });
}

bool CudaBackend::make_event(int index, void** event) {
  return on(index, [&] {
    return cudaEventCreateWithFlags(reinterpret_cast<cudaEvent_t*>(event), cudaEventDisableTiming);
  });
}

void CudaBackend::destroy_event(int index, void* event) {
  (void)on(index, [&] { return cudaEventDestroy(event_of(event)); });
}

bool CudaBackend::record(int index, void* event, void* stream) {
  return on(index, [&] { return cudaEventRecord(event_of(event), stream_of(stream)); });
}

bool CudaBackend::wait(int index, void* stream, void* event) {
  return on(index, [&] { return cudaStreamWaitEvent(stream_of(stream), event_of(event), 0); });
}

device::Progress CudaBackend::query(int index, void* event) {
  cudaError_t answer = cudaSuccess;
  {
    const Current current(index);
    answer = current.error() == cudaSuccess ? cudaEventQuery(event_of(event)) : current.error();
  }
  if (answer == cudaErrorNotReady) {
    (void)cudaGetLastError();
    return device::Progress::kPending;
  }
  return report(answer) ? device::Progress::kDone : device::Progress::kFailed;
}

bool CudaBackend::copy(int index, void* stream, void* to, const void* from, std::size_t bytes,
                       device::Direction direction) {
  const cudaMemcpyKind kind = direction == device::Direction::kToDevice ? cudaMemcpyHostToDevice
                              : direction == device::Direction::kToHost ? cudaMemcpyDeviceToHost
                                                                        : cudaMemcpyDeviceToDevice;
  return on(index, [&] { return cudaMemcpyAsync(to, from, bytes, kind, stream_of(stream)); });
}

bool CudaBackend::clear(int index, void* stream, void* memory, std::size_t bytes) {
  return on(index, [&] { return cudaMemsetAsync(memory, 0, bytes, stream_of(stream)); });
}

bool CudaBackend::snapshot(int index, void* stream, dynamics::ConstElements x, float* d, float* z, void* s,
                           DType wire, std::size_t count, float c) {
  return on(index, [&] { return cuda::snapshot(stream_of(stream), x, d, z, s, wire, count, c); });
}

bool CudaBackend::apply(int index, void* stream, float* d, float* z, const void* s, const void* r, DType wire,
                        std::size_t count, float alpha, float beta) {
  return on(index, [&] { return cuda::apply(stream_of(stream), d, z, s, r, wire, count, alpha, beta); });
}

bool CudaBackend::deliver(int index, void* stream, dynamics::Elements x, float* d, std::size_t count) {
  return on(index, [&] { return cuda::deliver(stream_of(stream), x, d, count); });
}

bool CudaBackend::assign(int index, void* stream, dynamics::Elements x, float* d, const float* value,
                         std::size_t count) {
  return on(index, [&] { return cuda::assign(stream_of(stream), x, d, value, count); });
}

bool CudaBackend::mix(int index, void* stream, float* d, float* z, std::size_t count, float c) {
  return on(index, [&] { return cuda::mix(stream_of(stream), d, z, count, c); });
}

bool CudaBackend::invariant(int index, void* stream, dynamics::ConstElements x, const float* d,
                            const float* z, float* out, std::size_t count) {
  return on(index, [&] { return cuda::invariant(stream_of(stream), x, d, z, out, count); });
}

bool CudaBackend::widen(int index, void* stream, dynamics::ConstElements x, float* out, std::size_t count) {
  return on(index, [&] { return cuda::widen(stream_of(stream), x, out, count); });
}

bool CudaBackend::squared_distance(int index, void* stream, const void* s, const void* r, DType wire,
                                   std::size_t count, double* sum) {
  return on(index, [&] { return cuda::squared_distance(stream_of(stream), s, r, wire, count, sum); });
}

bool CudaBackend::sketch(int index, void* stream, std::uint64_t key, dynamics::ConstElements x,
                         const float* d, std::size_t offset, std::size_t count, double* sums) {
  return on(index, [&] { return cuda::sketch(stream_of(stream), key, x, d, offset, count, sums); });
}

}  // namespace duet::cuda

extern "C" __attribute__((visibility("default"))) duet::device::Backend* duet_device_backend(
    std::uint32_t interface_version, char* reason, std::size_t bytes) {
  if (interface_version != duet::device::kInterfaceVersion) {
    std::snprintf(
        reason, bytes,
        "built for version %u of Duet's interface to devices, asked for %u: install both of one build",
        duet::device::kInterfaceVersion, interface_version);
    return nullptr;
  }
  // Never destroyed: streams of other threads may outlive main().
  static duet::cuda::CudaBackend* const backend = new duet::cuda::CudaBackend;
  return backend;
}
