#include "exchange/tree_blocks.h"

#include <cstring>

#include "dynamics/passes.h"
#include "exchange/block_header.h"

namespace duet::exchange {

using Kind = TreePiece::Kind;

TreeBlocks::TreeBlocks(Replica& replica, PassMemory& memory, const std::vector<TreePiece>& pieces, bool sums)
    : replica_(replica), memory_(memory), passages_(replica.passages()), pieces_(pieces), sums_(sums) {}

DevicePart* TreeBlocks::part_of(std::size_t k) const {
  return pieces_[k].kind == Kind::kCounted ? nullptr : replica_.block(pieces_[k].block).part;
}

float* TreeBlocks::result(std::size_t k) {
  return reinterpret_cast<float*>(memory_.result(k) + kBlockHeaderBytes);
}

bool TreeBlocks::here(std::size_t k) {
  for (; begun_ < pieces_.size() && begun_ < k + Passages::kAtOnce; ++begun_) {
    DevicePart* const part = part_of(begun_);
    if (part == nullptr) continue;
    Passages::Passage& passage = passages_.at(part, begun_);
    if (!passage.moved.done()) break;
    const Block& block = replica_.block(pieces_[begun_].block);
    auto* const there = reinterpret_cast<float*>(passage.memory.get());
    device::Stream& passes = part->passes();
    if (sums_) {
      const float* const z = pieces_[begun_].kind == Kind::kModel ? block.z : nullptr;
      passes.invariant(block.x, block.d, z, there, block.count);
    } else {
      passes.widen(block.x, there, block.count);
    }
    passage.moved.record(passes);
    device::Stream& outgoing = part->outgoing();
    outgoing.wait(passage.moved);
    outgoing.copy(passage.host.get(), there, block.count * sizeof(float), device::Direction::kToHost);
    passage.moved.record(outgoing);
    part->communication_leaves();
  }
  DevicePart* const part = part_of(k);
  return part == nullptr || (begun_ > k && passages_.at(part, k).moved.done());
}

void TreeBlocks::take(std::size_t k, int rank) {
  if (DevicePart* const part = part_of(k); part != nullptr) {
    std::memcpy(result(k), passages_.at(part, k).host.get(), pieces_[k].payload);
  } else if (sums_) {
    write_own_part(pieces_[k], replica_, rank, memory_.result(k) + kBlockHeaderBytes);
  } else {
    const Block& block = replica_.block(pieces_[k].block);
    dynamics::widen(block.x, result(k), block.count);
  }
}

void TreeBlocks::compare(std::size_t k) {
  if (!pieces_[k].measured || part_of(k) != nullptr) return;
  const Block& block = replica_.block(pieces_[k].block);
  dynamics::invariant(block.x, block.d, nullptr, memory_.scratch(), block.count);
  squared_distance_ += dynamics::squared_distance(memory_.scratch(), result(k), DType::kFloat32, block.count);
}

bool TreeBlocks::commit() {
  if (!committing_) {
    committing_ = true;
    for (const auto& part : replica_.parts())
      part->passes().clear(passages_.sum_there(part.get()), sizeof(double));
  }
  for (; committed_ < pieces_.size(); ++committed_) {
    if (pieces_[committed_].kind != Kind::kModel) continue;
    if (part_of(committed_) != nullptr) {
      if (commit_on_device(committed_)) continue;
      leave();
      return false;
    }
    const Block& block = replica_.block(pieces_[committed_].block);
    dynamics::assign(block.x, block.d, result(committed_), block.count);
    if (block.z != nullptr) std::memset(block.z, 0, block.count * sizeof(float));
  }
  if (!summed_up_) {
    for (const auto& part : replica_.parts()) {
      device::Stream& passes = part->passes();
      passes.copy(passages_.sum_here(part.get()), passages_.sum_there(part.get()), sizeof(double),
                  device::Direction::kToHost);
      passages_.at(part.get(), 0).moved.record(passes);
    }
    summed_up_ = true;
    leave();
  }
  if (!passages_.idle()) return false;
  for (const auto& part : replica_.parts())
    squared_distance_ += *passages_.sum_here(part.get());
  replica_.clear_pending();
  return true;
}

// A block, and the distance from it or from the mean position that stands behind it: that is measured to the
// position as it was. False: not now.
bool TreeBlocks::commit_on_device(std::size_t k) {
  const Block& block = replica_.block(pieces_[k].block);
  Passages::Passage& passage = passages_.at(block.part, k);
  if (!passage.moved.done()) return false;
  const bool behind = k + 1 < pieces_.size() && pieces_[k + 1].kind == Kind::kPosition &&
                      pieces_[k + 1].block == pieces_[k].block;
  const bool measured = pieces_[k].measured || (behind && pieces_[k + 1].measured);
  const std::size_t bytes = block.count * sizeof(float);
  void* const memory = passage.memory.get();
  void* const goal = behind ? passage.goal.get() : memory;
  void* const position = passage.position.get();

  device::Stream& incoming = block.part->incoming();
  device::Stream& passes = block.part->passes();
  std::memcpy(passage.host.get(), result(k), bytes);
  incoming.copy(memory, passage.host.get(), bytes, device::Direction::kToDevice);
  if (behind) {
    std::memcpy(passage.host_goal.get(), result(k + 1), bytes);
    incoming.copy(goal, passage.host_goal.get(), bytes, device::Direction::kToDevice);
  }
  passage.moved.record(incoming);
  passes.wait(passage.moved);
  if (measured) {
    passes.snapshot(block.x, block.d, nullptr, position, DType::kFloat32, block.count, 0.0F);
    passes.squared_distance(position, goal, DType::kFloat32, block.count, passages_.sum_there(block.part));
  }
  if (block.z != nullptr) passes.clear(block.z, bytes);
  passes.assign(block.x, block.d, static_cast<const float*>(memory), block.count);
  passage.moved.record(passes);
  return true;
}

void TreeBlocks::leave() {
  for (const auto& part : replica_.parts())
    part->communication_leaves();
}

}  // namespace duet::exchange
