#include "exchange/pass_memory.h"

#include <algorithm>

#include "exchange/block_header.h"
#include "exchange/replica.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

constexpr double kDrainSeconds = 5.0;

std::size_t slot_bytes(std::size_t elements) {
  const std::size_t bytes = kBlockHeaderBytes + elements * sizeof(float);
  return (bytes + kBlockHeaderBytes - 1) / kBlockHeaderBytes * kBlockHeaderBytes;
}

}  // namespace

PassMemory::PassMemory(const Replica& replica) : slot_bytes_(slot_bytes(replica.largest_block())) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < replica.block_count(); ++i) {
    result_at_.push_back(bytes);
    bytes += slot_bytes(replica.block(i).count);
  }
  constexpr const char* kPurpose = "the result of a tree pass";
  results_ = replica.parts().empty() ? device::Bytes(allocate_bytes(bytes, kPurpose))
                                     : replica.parts().front()->device().allocate_pinned(bytes, kPurpose);
  for (const auto& part : replica.parts()) {
    Ways& made = ways_.emplace_back();
    made.part = part.get();
    device::Device& device = part->device();
    for (std::size_t i = 0; i < kInFlight; ++i) {
      constexpr const char* kBlock = "a block of a tree pass";
      const std::size_t block = replica.largest_block() * sizeof(float);
      made.passages.push_back(
          {device.allocate(block, kBlock), device.allocate(block, kBlock), device.make_event()});
    }
    made.sum = device.allocate(sizeof(double), "a sum");
    made.copied_sum = device.allocate_pinned(sizeof(double), "a sum");
  }
  scratch_ = allocate<float>(replica.largest_block(), "a block of a tree pass");
}

PassMemory::~PassMemory() {
  double left = kDrainSeconds;
  for (Ways& ways : ways_) {
    for (Passage& passage : ways.passages) {
      if (passage.moved.wait(left)) continue;
      left = 0.0;
      support::error("a device did not let go of a tree pass's memory, which is not freed");
      new device::Bytes(passage.memory);
      new device::Bytes(passage.position);
      new device::Bytes(results_);
      new device::Bytes(ways.sum);
      new device::Bytes(ways.copied_sum);
    }
  }
}

PassMemory::Ways& PassMemory::ways(const DevicePart* part) {
  return *std::find_if(ways_.begin(), ways_.end(), [part](const Ways& one) { return one.part == part; });
}

PassMemory::Passage& PassMemory::passage(const DevicePart* part, std::size_t turn) {
  return ways(part).passages[turn % kInFlight];
}

bool PassMemory::idle() const {
  for (const Ways& ways : ways_) {
    for (const Passage& passage : ways.passages) {
      if (!passage.moved.done()) return false;
    }
  }
  return true;
}

void PassMemory::provide_for(std::size_t children) {
  while (children_.size() < children) {
    children_.push_back(allocate<std::byte>(kInFlight * slot_bytes_, "the sums of a tree pass"));
  }
}

}  // namespace duet::exchange
