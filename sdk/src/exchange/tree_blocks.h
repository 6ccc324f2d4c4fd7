#pragma once

#include <cstddef>
#include <vector>

#include "exchange/pass_memory.h"
#include "exchange/replica.h"
#include "exchange/tree_pieces.h"

namespace duet::exchange {

/// What a tree pass takes from a replica and leaves there, piece by piece: at once where a piece's block is
/// in host memory, through a few blocks of device memory where it is on a device. The trainer waits in a call
/// meanwhile, so everything is this object's to touch. Nothing here waits. A pass that only passes a kept
/// result on needs nothing of it. Communication thread only; what it is given must outlive it.
class TreeBlocks {
 public:
  /// broadcast: x is taken, not x + d + ½z.
  TreeBlocks(Replica& replica, PassMemory& memory, const std::vector<TreePiece>& pieces, bool broadcast,
             int rank);

  /// Begins with what devices have to bring, piece k and some behind it; true: piece k's is in
  /// memory.result(k) (of one from host memory: can be put there).
  bool here(std::size_t k);
  /// When it is here: puts a piece from host memory there.
  void take(std::size_t k);
  /// ‖(x + d) − mean‖² of a measured piece in host memory; those on devices are compared in commit().
  void compare(std::size_t k);

  /// x = result, z = 0, d = what x cannot hold of the result. Call until true.
  bool commit();
  double squared_distance() const { return squared_distance_; }

 private:
  float* result(std::size_t k);
  DevicePart* part_of(const TreePiece& piece) const;
  void commit_here(const TreePiece& piece, std::size_t k);
  void commit_on_device(const TreePiece& piece, std::size_t k, PassMemory::Passage& passage);
  void leave();

  Replica& replica_;
  PassMemory& memory_;
  const std::vector<TreePiece>& pieces_;
  bool broadcast_;
  int rank_;
  std::vector<std::size_t> order_;  // of commit()
  std::size_t begun_ = 0;
  std::size_t committed_ = 0;  // of order_
  bool committing_ = false;
  bool summed_up_ = false;
  double squared_distance_ = 0.0;
};

}  // namespace duet::exchange
