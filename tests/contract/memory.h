#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace duet::contract {

/// Memory of the kind that a transport moves, for one that does not move host memory. The suite's tests work
/// on host memory all the same: an Endpoint copies to and fro around each operation. Thread-safe.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual std::int32_t kind() const = 0;  ///< DUET_MEMORY_*
  /// Throws std::runtime_error.
  virtual std::shared_ptr<void> allocate(int device, std::uint64_t bytes) = 0;
  virtual void copy_in(int device, void* to, const void* from, std::uint64_t bytes) = 0;
  virtual void copy_out(int device, void* to, const void* from, std::uint64_t bytes) = 0;
};

/// CUDA memory, through the driver in `library` ("libcuda.so.1", or a fake one).
std::shared_ptr<DeviceMemory> cuda_memory(const std::string& library);

}  // namespace duet::contract
