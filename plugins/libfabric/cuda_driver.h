#pragma once

#include <cstdint>
#include <memory>
#include <string>

/// The few functions of the CUDA driver that device memory needs here, taken from libcuda.so.1 at run time:
/// the plugin is one binary for machines with and without a GPU.
namespace duet::libfabric {

/// A point in a device stream: what was put into the stream before it is done when it has passed.
class StreamMark {
 public:
  virtual ~StreamMark() = default;
  /// Never waits. Throws FailureError (DUET_DEVICE_ERROR).
  virtual bool passed() = 0;
};

class CudaDriver {
 public:
  virtual ~CudaDriver() = default;

  /// Loaded and started once per process; null: *reason says why there is none.
  static CudaDriver* get(std::string* reason = nullptr);

  virtual int devices() const = 0;
  /// `stream` (null: the default one) belongs to the device's primary context, which is the one that the CUDA
  /// runtime uses. Throws FailureError (DUET_DEVICE_ERROR).
  virtual std::unique_ptr<StreamMark> mark(int device, void* stream) = 0;
  /// A little device memory to try things with, freed with its owner. Throws FailureError.
  virtual std::shared_ptr<void> allocate(int device, std::uint64_t bytes) = 0;
};

}  // namespace duet::libfabric
