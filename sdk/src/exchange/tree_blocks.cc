#include "exchange/tree_blocks.h"

#include <cstring>

#include "dynamics/passes.h"
#include "exchange/block_header.h"

namespace duet::exchange {

TreeBlocks::TreeBlocks(Replica& replica, PassMemory& memory, Take take)
    : replica_(replica), memory_(memory), take_(take) {}

float* TreeBlocks::result(std::size_t k) {
  return reinterpret_cast<float*>(memory_.result(k) + kBlockHeaderBytes);
}

// An earlier result is x, in float32; what bf16 could not hold of it is in d.
bool TreeBlocks::takes_sum(const Block& block) const {
  return take_ == Take::kInvariant || (take_ == Take::kResult && block.x.dtype != DType::kFloat32);
}

const float* TreeBlocks::z_of(const Block& block) const {
  return take_ == Take::kInvariant ? block.z : nullptr;
}

bool TreeBlocks::here(std::size_t k) {
  for (; begun_ < replica_.block_count() && begun_ < k + PassMemory::kInFlight; ++begun_) {
    const Block& block = replica_.block(begun_);
    if (block.part == nullptr) continue;
    PassMemory::Passage& passage = memory_.passage(block.part, begun_);
    if (!passage.moved.done()) break;
    auto* const there = reinterpret_cast<float*>(passage.memory.get());
    device::Stream& passes = block.part->passes();
    if (takes_sum(block)) {
      passes.invariant(block.x, block.d, z_of(block), there, block.count);
    } else {
      passes.widen(block.x, there, block.count);
    }
    passage.moved.record(passes);
    device::Stream& outgoing = block.part->outgoing();
    outgoing.wait(passage.moved);
    outgoing.copy(result(begun_), there, block.count * sizeof(float), device::Direction::kToHost);
    passage.moved.record(outgoing);
    block.part->communication_leaves();
  }
  const Block& block = replica_.block(k);
  return block.part == nullptr || (begun_ > k && memory_.passage(block.part, k).moved.done());
}

void TreeBlocks::take(std::size_t k) {
  const Block& block = replica_.block(k);
  if (block.part != nullptr) return;
  if (takes_sum(block)) {
    dynamics::invariant(block.x, block.d, z_of(block), result(k), block.count);
  } else {
    dynamics::widen(block.x, result(k), block.count);
  }
}

void TreeBlocks::compare(std::size_t k) {
  const Block& block = replica_.block(k);
  if (block.part != nullptr || block.role != BufferRole::kParameters) return;
  dynamics::snapshot(block.x, block.d, nullptr, memory_.scratch(), DType::kFloat32, block.count, 0.0F);
  squared_distance_ += dynamics::squared_distance(memory_.scratch(), result(k), DType::kFloat32, block.count);
}

bool TreeBlocks::commit(bool compare) {
  if (!committing_) {
    committing_ = true;
    for (const auto& part : replica_.parts())
      part->passes().clear(memory_.sum_there(part.get()), sizeof(double));
  }
  for (; committed_ < replica_.block_count(); ++committed_) {
    const Block& block = replica_.block(committed_);
    if (block.part != nullptr) {
      if (!memory_.passage(block.part, committed_).moved.done()) {
        leave();
        return false;
      }
      commit_on_device(block, committed_, compare);
      continue;
    }
    dynamics::assign(block.x, block.d, result(committed_), block.count);
    if (block.z != nullptr) std::memset(block.z, 0, block.count * sizeof(float));
  }
  if (!summed_up_) {
    for (const auto& part : replica_.parts()) {
      device::Stream& passes = part->passes();
      passes.copy(memory_.sum_here(part.get()), memory_.sum_there(part.get()), sizeof(double),
                  device::Direction::kToHost);
      memory_.passage(part.get(), 0).moved.record(passes);
    }
    summed_up_ = true;
    leave();
  }
  if (!memory_.idle()) return false;
  for (const auto& part : replica_.parts())
    squared_distance_ += *memory_.sum_here(part.get());
  replica_.clear_pending();
  return true;
}

void TreeBlocks::commit_on_device(const Block& block, std::size_t k, bool compare) {
  PassMemory::Passage& passage = memory_.passage(block.part, k);
  auto* const there = reinterpret_cast<float*>(passage.memory.get());
  device::Stream& incoming = block.part->incoming();
  device::Stream& passes = block.part->passes();
  incoming.copy(there, result(k), block.count * sizeof(float), device::Direction::kToDevice);
  passage.moved.record(incoming);
  passes.wait(passage.moved);
  if (compare && block.role == BufferRole::kParameters) {
    void* const position = passage.position.get();
    passes.snapshot(block.x, block.d, nullptr, position, DType::kFloat32, block.count, 0.0F);
    passes.squared_distance(position, there, DType::kFloat32, block.count, memory_.sum_there(block.part));
  }
  if (block.z != nullptr) passes.clear(block.z, block.count * sizeof(float));
  passes.assign(block.x, block.d, there, block.count);
  passage.moved.record(passes);
}

void TreeBlocks::leave() {
  for (const auto& part : replica_.parts())
    part->communication_leaves();
}

}  // namespace duet::exchange
