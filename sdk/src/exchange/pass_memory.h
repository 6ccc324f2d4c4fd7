#pragma once

#include <cstddef>
#include <vector>

#include "exchange/memory.h"

namespace duet::exchange {

class Replica;

/// What a tree pass works in: the result, block by block, each behind its own header, so that sums go up, the
/// result comes down and is passed on from one place without a copy; and a few blocks per child for their
/// sums.
class PassMemory {
 public:
  /// Blocks that one connection has under way in one direction.
  static constexpr std::size_t kInFlight = 4;

  explicit PassMemory(const Replica& replica);
  void provide_for(std::size_t children);

  std::byte* result(std::size_t block) { return results_.get() + result_at_[block]; }
  std::byte* from_child(std::size_t child, std::size_t block) {
    return children_[child].get() + block % kInFlight * slot_bytes_;
  }
  float* scratch() { return scratch_.get(); }  ///< one block

  /// How many workers the last complete average counts, for the attempt in which this worker passes it on.
  int members_of_result() const { return members_of_result_; }
  void set_members_of_result(int members) { members_of_result_ = members; }

 private:
  std::size_t slot_bytes_;
  std::vector<std::size_t> result_at_;
  Memory<std::byte> results_;
  std::vector<Memory<std::byte>> children_;
  Memory<float> scratch_;
  int members_of_result_ = 1;
};

}  // namespace duet::exchange
