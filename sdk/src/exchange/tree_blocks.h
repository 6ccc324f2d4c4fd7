#pragma once

#include <cstddef>
#include <vector>

#include "exchange/pass_memory.h"
#include "exchange/replica.h"
#include "exchange/tree_pieces.h"

namespace duet::exchange {

/// What a tree pass takes from a replica and leaves there, piece by piece: at once where a block is in host
/// memory, through a few blocks of device memory where it is on a device. The trainer waits in a call
/// meanwhile, so everything is this object's to touch. Nothing here waits. Communication thread only.
class TreeBlocks {
 public:
  /// sums: own parts of sums are taken, not parameters as they are.
  TreeBlocks(Replica& replica, PassMemory& memory, const std::vector<TreePiece>& pieces, bool sums);

  /// Begins with what devices have to bring, piece k's and some behind it; true: piece k's is in host memory.
  bool here(std::size_t k);
  /// When it is here, and before the next one is asked for: puts it into memory.result(k).
  void take(std::size_t k, int rank);
  /// ‖(x + d) − result‖² of a measured piece in host memory; those on devices are compared in commit().
  void compare(std::size_t k);

  /// x = result, z = 0, d = what x cannot hold of the result. Call until true.
  bool commit();
  double squared_distance() const { return squared_distance_; }

 private:
  DevicePart* part_of(std::size_t k) const;
  float* result(std::size_t k);
  bool commit_on_device(std::size_t k);
  void leave();

  Replica& replica_;
  PassMemory& memory_;
  Passages& passages_;
  const std::vector<TreePiece>& pieces_;
  bool sums_;
  std::size_t begun_ = 0;
  std::size_t committed_ = 0;
  bool committing_ = false;
  bool summed_up_ = false;
  double squared_distance_ = 0.0;
};

}  // namespace duet::exchange
