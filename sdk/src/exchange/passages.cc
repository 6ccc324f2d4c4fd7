#include "exchange/passages.h"

#include <algorithm>

#include "exchange/device_part.h"

namespace duet::exchange {

Passages::Passages(const std::vector<std::unique_ptr<DevicePart>>& parts, std::size_t largest_block) {
  constexpr const char* kBlock = "a block of a tree pass";
  const std::size_t block = largest_block * sizeof(float);
  for (const auto& part : parts) {
    Ways& made = ways_.emplace_back();
    made.part = part.get();
    device::Device& device = part->device();
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      made.passages.push_back({device.allocate(block, kBlock), device.allocate_pinned(block, kBlock),
                               device.allocate(block, kBlock), device.allocate(block, kBlock),
                               device.allocate_pinned(block, kBlock), device.make_event()});
    }
    made.sum = device.allocate(sizeof(double), "a sum");
    made.copied_sum = device.allocate_pinned(sizeof(double), "a sum");
  }
}

Passages::Ways& Passages::ways(const DevicePart* part) {
  return *std::find_if(ways_.begin(), ways_.end(), [part](const Ways& one) { return one.part == part; });
}

Passages::Passage& Passages::at(const DevicePart* part, std::size_t turn) {
  return ways(part).passages[turn % kAtOnce];
}

bool Passages::idle() const {
  for (const Ways& ways : ways_) {
    for (const Passage& passage : ways.passages) {
      if (!passage.moved.done()) return false;
    }
  }
  return true;
}

}  // namespace duet::exchange
