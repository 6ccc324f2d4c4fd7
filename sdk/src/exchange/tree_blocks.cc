#include "exchange/tree_blocks.h"

#include <cstring>
#include <utility>

#include "dynamics/passes.h"
#include "exchange/block_header.h"

namespace duet::exchange {

using Kind = TreePiece::Kind;

TreeBlocks::TreeBlocks(Replica& replica, PassMemory& memory, const std::vector<TreePiece>& pieces,
                       bool broadcast, int rank)
    : replica_(replica), memory_(memory), pieces_(pieces), broadcast_(broadcast), rank_(rank) {
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    order_.push_back(k);
    // It is compared with x + d, which must not have been replaced yet.
    if (k > 0 && pieces[k].kind == Kind::kPosition) std::swap(order_[k], order_[k - 1]);
  }
}

float* TreeBlocks::result(std::size_t k) {
  return reinterpret_cast<float*>(memory_.result(k) + kBlockHeaderBytes);
}

DevicePart* TreeBlocks::part_of(const TreePiece& piece) const {
  return piece.kind == Kind::kCounted ? nullptr : replica_.block(piece.block).part;
}

bool TreeBlocks::here(std::size_t k) {
  for (; begun_ < pieces_.size() && begun_ < k + PassMemory::kInFlight; ++begun_) {
    const TreePiece& piece = pieces_[begun_];
    DevicePart* const part = part_of(piece);
    if (part == nullptr) continue;
    const Block& block = replica_.block(piece.block);
    PassMemory::Passage& passage = memory_.passage(part, begun_);
    if (!passage.moved.done()) break;
    auto* const there = reinterpret_cast<float*>(passage.memory.get());
    device::Stream& passes = part->passes();
    if (broadcast_) {
      passes.widen(block.x, there, block.count);
    } else {
      passes.invariant(block.x, block.d, piece.kind == Kind::kModel ? block.z : nullptr, there, block.count);
    }
    passage.moved.record(passes);
    device::Stream& outgoing = part->outgoing();
    outgoing.wait(passage.moved);
    outgoing.copy(result(begun_), there, block.count * sizeof(float), device::Direction::kToHost);
    passage.moved.record(outgoing);
    part->communication_leaves();
  }
  DevicePart* const part = part_of(pieces_[k]);
  return part == nullptr || (begun_ > k && memory_.passage(part, k).moved.done());
}

void TreeBlocks::take(std::size_t k) {
  const TreePiece& piece = pieces_[k];
  if (part_of(piece) != nullptr) return;
  if (broadcast_) {
    const Block& block = replica_.block(piece.block);
    dynamics::widen(block.x, result(k), block.count);
  } else {
    write_own_part(piece, replica_, rank_, memory_.result(k) + kBlockHeaderBytes);
  }
}

void TreeBlocks::compare(std::size_t k) {
  const TreePiece& piece = pieces_[k];
  if (!piece.measured || part_of(piece) != nullptr) return;
  const Block& block = replica_.block(piece.block);
  dynamics::invariant(block.x, block.d, nullptr, memory_.scratch(), block.count);
  squared_distance_ += dynamics::squared_distance(memory_.scratch(), result(k), DType::kFloat32, block.count);
}

bool TreeBlocks::commit() {
  if (!committing_) {
    committing_ = true;
    for (const auto& part : replica_.parts())
      part->passes().clear(memory_.sum_there(part.get()), sizeof(double));
  }
  for (; committed_ < order_.size(); ++committed_) {
    const std::size_t k = order_[committed_];
    const TreePiece& piece = pieces_[k];
    DevicePart* const part = part_of(piece);
    if (part == nullptr) {
      commit_here(piece, k);
      continue;
    }
    PassMemory::Passage& passage = memory_.passage(part, committed_);
    if (!passage.moved.done()) {
      leave();
      return false;
    }
    commit_on_device(piece, k, passage);
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

void TreeBlocks::commit_here(const TreePiece& piece, std::size_t k) {
  if (piece.kind != Kind::kModel) return;
  const Block& block = replica_.block(piece.block);
  dynamics::assign(block.x, block.d, result(k), block.count);
  if (block.z != nullptr) std::memset(block.z, 0, block.count * sizeof(float));
}

void TreeBlocks::commit_on_device(const TreePiece& piece, std::size_t k, PassMemory::Passage& passage) {
  const Block& block = replica_.block(piece.block);
  auto* const there = reinterpret_cast<float*>(passage.memory.get());
  device::Stream& incoming = block.part->incoming();
  device::Stream& passes = block.part->passes();
  incoming.copy(there, result(k), block.count * sizeof(float), device::Direction::kToDevice);
  passage.moved.record(incoming);
  passes.wait(passage.moved);
  if (piece.measured) {
    auto* const position = reinterpret_cast<float*>(passage.position.get());
    passes.invariant(block.x, block.d, nullptr, position, block.count);
    passes.squared_distance(position, there, DType::kFloat32, block.count, memory_.sum_there(block.part));
  }
  if (piece.kind == Kind::kModel) {
    if (block.z != nullptr) passes.clear(block.z, block.count * sizeof(float));
    passes.assign(block.x, block.d, there, block.count);
  }
  passage.moved.record(passes);
}

void TreeBlocks::leave() {
  for (const auto& part : replica_.parts())
    part->communication_leaves();
}

}  // namespace duet::exchange
