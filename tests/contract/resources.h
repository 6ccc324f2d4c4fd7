#pragma once

#include <cstddef>

/// What this process holds on to; for tests that something leaves nothing behind.
namespace duet::contract {

std::size_t open_descriptors();
/// Bytes that were allocated from the heap and not freed.
std::size_t heap_in_use();
/// Since the process started, all threads.
unsigned long long processor_time_ns();

/// Whole pages of memory that can be taken away: whoever touches them then ends the process, or, in a system
/// call, gets an error.
class GuardedMemory {
 public:
  explicit GuardedMemory(std::size_t bytes);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  unsigned char* data() { return data_; }
  std::size_t size() const { return bytes_; }
  void forbid();  ///< reading and writing
  void allow();

 private:
  unsigned char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace duet::contract
