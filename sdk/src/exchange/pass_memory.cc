#include "exchange/pass_memory.h"

#include <algorithm>
#include <utility>

#include "exchange/block_header.h"

namespace duet::exchange {
namespace {

std::size_t slot_bytes(std::size_t payload) {
  const std::size_t bytes = kBlockHeaderBytes + payload;
  return (bytes + kBlockHeaderBytes - 1) / kBlockHeaderBytes * kBlockHeaderBytes;
}

}  // namespace

PassMemory::PassMemory(std::vector<std::size_t> payloads) : payloads_(std::move(payloads)) {
  for (const std::size_t payload : payloads_) {
    result_at_.push_back(result_bytes_);
    result_bytes_ += slot_bytes(payload);
    slot_bytes_ = std::max(slot_bytes_, slot_bytes(payload));
  }
  scratch_ = allocate<float>(slot_bytes_ / sizeof(float), "a block of a tree pass");
}

void PassMemory::prepare(std::size_t children) {
  if (results_ == nullptr) results_ = allocate<std::byte>(result_bytes_, "the result of a tree pass");
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
