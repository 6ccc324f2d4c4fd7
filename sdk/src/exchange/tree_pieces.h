#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exchange/replica.h"
#include "exchange/tree_pass.h"

namespace duet::exchange {

/// What one block of a tree pass carries.
struct TreePiece {
  enum class Kind : std::uint8_t {
    kModel,     ///< x (a broadcast), or Σ (x + d + ½z), of a block of the replica
    kPosition,  ///< Σ (x + d) of that block, where z makes it another one
    kCounted    ///< whom the sums count (rank_set.h)
  };
  Kind kind = Kind::kModel;
  std::size_t block = 0;    ///< of the replica; not with kCounted
  std::size_t payload = 0;  ///< bytes
  bool measured = false;    ///< the worker's distance is measured to this one
};

/// The blocks of a pass, in their order on the wire; the same on all workers.
std::vector<TreePiece> tree_pieces(const Replica& replica, TreeOperation operation, int world_size);

/// One worker's own part of a sum. `out`: the piece's payload.
void write_own_part(const TreePiece& piece, const Replica& replica, int rank, std::byte* out);

}  // namespace duet::exchange
