#pragma once

#include <cuda.h>

#include <string>

#include "bytes.h"

namespace duet::nccl {

/// The few calls of the CUDA driver that this plugin needs, found at run time: the plugin loads on a machine
/// that has no driver, and says so. The driver's handles are the runtime's (CUstream is cudaStream_t), and
/// NCCL works in whatever context is current. Immutable once loaded; thread-safe.
class CudaDriver {
 public:
  /// library: empty for libcuda.so.1. Once per library and process. Throws FailureError (DUET_NOT_SUPPORTED)
  /// "no CUDA device: …" when there is no driver, or no device that it can use.
  static const CudaDriver& load(const std::string& library);

  int device_count() const { return device_count_; }
  /// The device of the calling thread's context; 0 when it has none.
  int current_device() const;
  Id128 uuid(int device) const;
  std::string name(int device) const;
  std::string error_text(CUresult result) const;

  decltype(::cuInit)* init = nullptr;
  decltype(::cuDeviceGetCount)* get_count = nullptr;
  decltype(::cuDeviceGet)* get_device = nullptr;
  decltype(::cuDeviceGetName)* get_name = nullptr;
  decltype(::cuDeviceGetUuid)* get_uuid = nullptr;
  decltype(::cuDevicePrimaryCtxRetain)* primary_retain = nullptr;
  decltype(::cuDevicePrimaryCtxRelease)* primary_release = nullptr;
  decltype(::cuCtxPushCurrent)* push_context = nullptr;
  decltype(::cuCtxPopCurrent)* pop_context = nullptr;
  decltype(::cuCtxGetDevice)* context_device = nullptr;
  decltype(::cuStreamCreateWithPriority)* stream_create = nullptr;
  decltype(::cuStreamDestroy)* stream_destroy = nullptr;
  decltype(::cuEventCreate)* event_create = nullptr;
  decltype(::cuEventDestroy)* event_destroy = nullptr;
  decltype(::cuEventRecord)* event_record = nullptr;
  decltype(::cuEventQuery)* event_query = nullptr;

 private:
  explicit CudaDriver(const std::string& library);
  decltype(::cuGetErrorName)* get_error_name_ = nullptr;
  int device_count_ = 0;
};

/// One device's primary context, kept for as long as anybody works in it. Thread-safe.
class Device {
 public:
  /// Throws FailureError (DUET_NOT_SUPPORTED, DUET_DEVICE_ERROR).
  Device(const CudaDriver& driver, int ordinal);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const CudaDriver& driver() const { return driver_; }
  int ordinal() const { return ordinal_; }
  const Id128& uuid() const { return uuid_; }

  /// Makes the context current in this thread, for a scope: the thread is the host's, and gets its own back.
  class Current {
   public:
    explicit Current(const Device& device) : device_(device) {
      device_.driver_.push_context(device_.context_);
    }
    ~Current() {
      CUcontext popped = nullptr;
      device_.driver_.pop_context(&popped);
    }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    const Device& device_;
  };

 private:
  const CudaDriver& driver_;
  int ordinal_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  Id128 uuid_;
};

}  // namespace duet::nccl
