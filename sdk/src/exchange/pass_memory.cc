#include "exchange/pass_memory.h"

#include <algorithm>
#include <utility>

#include "exchange/block_header.h"
#include "exchange/replica.h"
#include "support/log.h"

namespace duet::exchange {
namespace {

constexpr double kDrainSeconds = 5.0;

std::size_t slot_bytes(std::size_t payload) {
  const std::size_t bytes = kBlockHeaderBytes + payload;
  return (bytes + kBlockHeaderBytes - 1) / kBlockHeaderBytes * kBlockHeaderBytes;
}

}  // namespace

PassMemory::PassMemory(std::vector<std::size_t> payloads, const Replica& replica)
    : payloads_(std::move(payloads)) {
  for (const std::size_t payload : payloads_) {
    result_at_.push_back(result_bytes_);
    result_bytes_ += slot_bytes(payload);
    slot_bytes_ = std::max(slot_bytes_, slot_bytes(payload));
  }
  scratch_ = allocate<float>(slot_bytes_ / sizeof(float), "a block of a tree pass");
  for (const auto& part : replica.parts()) {
    Ways& made = ways_.emplace_back();
    made.part = part.get();
    device::Device& device = part->device();
    pinned_by_ = part->shared_device();
    for (std::size_t i = 0; i < kInFlight; ++i) {
      constexpr const char* kBlock = "a block of a tree pass";
      const std::size_t block = replica.largest_block() * sizeof(float);
      made.passages.push_back({device.allocate(block, kBlock), device.allocate(block, kBlock),
                               device.allocate(block, kBlock), device.make_event()});
    }
    made.sum = device.allocate(sizeof(double), "a sum");
    made.copied_sum = device.allocate_pinned(sizeof(double), "a sum");
  }
}

PassMemory::~PassMemory() {
  double left = kDrainSeconds;
  for (Ways& ways : ways_) {
    for (Passage& passage : ways.passages) {
      if (passage.moved.wait(left)) continue;
      left = 0.0;
      support::error("a device did not let go of a tree pass's memory, which is not freed");
      for (const device::Bytes* memory :
           {&passage.memory, &passage.position, &passage.goal, &results_, &ways.sum, &ways.copied_sum}) {
        device::abandon(*memory);
      }
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

void PassMemory::prepare(std::size_t children) {
  if (results_ == nullptr) {
    constexpr const char* kPurpose = "the result of a tree pass";
    results_ = pinned_by_ == nullptr ? device::Bytes(allocate_bytes(result_bytes_, kPurpose))
                                     : pinned_by_->allocate_pinned(result_bytes_, kPurpose);
  }
  while (children_.size() < children) {
    children_.push_back(allocate<std::byte>(kInFlight * slot_bytes_, "the sums of a tree pass"));
  }
}

void PassMemory::keep(int members) {
  std::swap(results_, kept_);
  has_kept_ = true;
  members_of_kept_ = members;
}

void PassMemory::take_kept(PassMemory& other) {
  kept_ = std::move(other.kept_);
  has_kept_ = std::exchange(other.has_kept_, false);
  members_of_kept_ = other.members_of_kept_;
}

const std::byte* PassMemory::kept(std::size_t block) const {
  return has_kept_ ? kept_.get() + result_at_[block] + kBlockHeaderBytes : nullptr;
}

}  // namespace duet::exchange
