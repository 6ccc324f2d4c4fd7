#pragma once

#include <cstddef>
#include <cstdint>

#include "exchange/pass_memory.h"
#include "exchange/replica.h"

namespace duet::exchange {

/// What a tree pass takes from a replica and leaves there, block by block: at once where a block is in host
/// memory, through a few blocks of device memory where it is on a device. The trainer waits in a call
/// meanwhile, so everything is this object's to touch. Nothing here waits. Communication thread only.
class TreeBlocks {
 public:
  enum class Take : std::uint8_t {
    kParameters,  ///< x
    kResult,      ///< x + d: what an earlier pass left there
    kInvariant,   ///< x + d + ½z
  };
  TreeBlocks(Replica& replica, PassMemory& memory, Take take);

  /// Begins with what devices have to bring, block k and some behind it; true: block k's is in
  /// memory.result(k) (of a block in host memory: can be put there).
  bool here(std::size_t k);
  /// When it is here: puts a host block's there.
  void take(std::size_t k);
  /// ‖(x + d) − result‖² of a host block of parameters; those on devices are compared in commit().
  void compare(std::size_t k);

  /// x = result, z = 0, d = what x cannot hold of the result. Call until true.
  bool commit(bool compare);
  double squared_distance() const { return squared_distance_; }

 private:
  float* result(std::size_t k);
  bool takes_sum(const Block& block) const;
  const float* z_of(const Block& block) const;
  void commit_on_device(const Block& block, std::size_t k, bool compare);
  void leave();

  Replica& replica_;
  PassMemory& memory_;
  Take take_;
  std::size_t begun_ = 0;
  std::size_t committed_ = 0;
  bool committing_ = false;
  bool summed_up_ = false;
  double squared_distance_ = 0.0;
};

}  // namespace duet::exchange
