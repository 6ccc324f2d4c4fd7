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
  virtual std::int32_t kind() const = 0;         ///< DUET_MEMORY_*
  virtual std::uint64_t capability() const = 0;  ///< of a transport that moves it: DUET_CAPABILITY_*
  virtual std::string text() const = 0;          ///< what device_memory() makes it of
  /// Throws std::runtime_error.
  virtual std::shared_ptr<void> allocate(int device, std::uint64_t bytes) = 0;
  virtual void copy_in(int device, void* to, const void* from, std::uint64_t bytes) = 0;
  virtual void copy_out(int device, void* to, const void* from, std::uint64_t bytes) = 0;
};

/// "cuda:LIBRARY": CUDA memory, through the driver in that library (libcuda.so.1, or a fake one). Throws
/// std::invalid_argument for what is no such text, std::runtime_error when the library does not load. The
/// driver is started by what is first asked of the memory, so that a process may still fork until then.
std::shared_ptr<DeviceMemory> device_memory(const std::string& text);

}  // namespace duet::contract
