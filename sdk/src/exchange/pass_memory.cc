#include "exchange/pass_memory.h"

#include "exchange/block_header.h"
#include "exchange/replica.h"

namespace duet::exchange {
namespace {

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
  results_ = allocate<std::byte>(bytes, "the result of a tree pass");
  scratch_ = allocate<float>(replica.largest_block(), "a block of a tree pass");
}

void PassMemory::provide_for(std::size_t children) {
  while (children_.size() < children) {
    children_.push_back(allocate<std::byte>(kInFlight * slot_bytes_, "the sums of a tree pass"));
  }
}

}  // namespace duet::exchange
