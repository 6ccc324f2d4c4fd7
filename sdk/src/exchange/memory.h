#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace duet::exchange {

struct FreeMemory {
  void operator()(void* data) const { std::free(data); }
};
template <typename T>
using Memory = std::unique_ptr<T[], FreeMemory>;

/// Zeroed, aligned to 64 bytes (large ones to 2 MiB and backed by huge pages where the system grants them)
/// and touched once, so that no page fault is left for the first meeting. Throws ConfigurationError that says
/// what it was for.
std::unique_ptr<std::byte[], FreeMemory> allocate_bytes(std::size_t bytes, const char* purpose);

template <typename T>
Memory<T> allocate(std::size_t count, const char* purpose) {
  return Memory<T>(reinterpret_cast<T*>(allocate_bytes(count * sizeof(T), purpose).release()));
}

}  // namespace duet::exchange
