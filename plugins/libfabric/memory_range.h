#pragma once

#include <cstdint>

#include "duet/plugin/transport.h"

namespace duet::libfabric {

/// A piece of memory as libfabric registers it.
struct MemoryRange {
  std::uintptr_t begin = 0;
  std::uint64_t bytes = 0;
  std::int32_t kind = DUET_MEMORY_HOST;
  std::int32_t device = 0;

  static MemoryRange of(const duet_memory& memory) {
    return {reinterpret_cast<std::uintptr_t>(memory.data), memory.bytes, memory.kind, memory.device};
  }
  bool covers(const MemoryRange& other) const {
    return kind == other.kind && device == other.device && begin <= other.begin &&
           other.begin - begin <= bytes && other.bytes <= bytes - (other.begin - begin);
  }
};

}  // namespace duet::libfabric
