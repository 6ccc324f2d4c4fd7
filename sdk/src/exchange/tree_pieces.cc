#include "exchange/tree_pieces.h"

#include <cstring>

#include "dynamics/passes.h"
#include "exchange/rank_set.h"

namespace duet::exchange {

std::vector<TreePiece> tree_pieces(const Replica& replica, TreeOperation operation, int world_size) {
  using Kind = TreePiece::Kind;
  const bool final = operation == TreeOperation::kFinalAverage;
  std::vector<TreePiece> pieces;
  pieces.reserve(replica.block_count() + 1);
  for (std::size_t i = 0; i < replica.block_count(); ++i) {
    const Block& block = replica.block(i);
    const bool measured = final && block.role == BufferRole::kParameters;
    const bool positions = measured && block.z != nullptr;
    pieces.push_back({Kind::kModel, i, block.count * sizeof(float), measured && !positions});
    // Beside its block: x and d are still in cache.
    if (positions) pieces.push_back({Kind::kPosition, i, block.count * sizeof(float), true});
  }
  if (final) pieces.push_back({Kind::kCounted, 0, rank_set_bytes(world_size), false});
  return pieces;
}

void write_own_part(const TreePiece& piece, const Replica& replica, int rank, std::byte* out) {
  const Block& block = replica.block(piece.block);
  switch (piece.kind) {
    case TreePiece::Kind::kModel:
      dynamics::invariant(block.x, block.d, block.z, reinterpret_cast<float*>(out), block.count);
      return;
    case TreePiece::Kind::kPosition:
      dynamics::invariant(block.x, block.d, nullptr, reinterpret_cast<float*>(out), block.count);
      return;
    case TreePiece::Kind::kCounted:
      std::memset(out, 0, piece.payload);
      add_rank(out, rank);
      return;
  }
}

}  // namespace duet::exchange
