#include "exchange/memory.h"

#include <cstring>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "duet/error.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

std::unique_ptr<std::byte[], FreeMemory> allocate_bytes(std::size_t bytes, const char* purpose) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* data = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
  if (data == nullptr) {
    throw ConfigurationError(
        fmt::format("there is no memory for {} ({} bytes): give the process more, or use smaller blocks or "
                    "fewer parameters",
                    purpose, bytes));
  }
#if defined(__linux__)
  // Advice only: without huge pages everything works, with more misses in the TLB.
  if (alignment == kHugePage) (void)madvise(data, rounded, MADV_HUGEPAGE);
#endif
  std::memset(data, 0, rounded);
  return std::unique_ptr<std::byte[], FreeMemory>(static_cast<std::byte*>(data));
}

}  // namespace duet::exchange
