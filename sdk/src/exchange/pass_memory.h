#pragma once

#include <cstddef>
#include <vector>

#include "exchange/memory.h"

namespace duet::exchange {

/// What a tree pass works in: the result, block by block, each behind its own header, so that sums go up, the
/// result comes down and is passed on from one place without a copy; and a few blocks per child for their
/// sums. All in host memory: sums are added there, where children's arrive, and blocks of devices come and go
/// through Passages.
///
/// The result of the last complete average is kept, because whoever missed it asks for it in a later attempt;
/// the next pass works in a second area of the same size, which is allocated only then.
class PassMemory {
 public:
  /// Blocks that one connection has under way in one direction.
  static constexpr std::size_t kInFlight = 4;

  /// payloads: bytes of every block behind its header.
  explicit PassMemory(std::vector<std::size_t> payloads);
  const std::vector<std::size_t>& payloads() const { return payloads_; }
  /// Before a pass: allocates what it will work in.
  void prepare(std::size_t children);

  std::byte* result(std::size_t block) { return results_.get() + result_at_[block]; }
  std::byte* from_child(std::size_t child, std::size_t block) {
    return children_[child].get() + block % kInFlight * slot_bytes_;
  }
  float* scratch() { return scratch_.get(); }  ///< one block

  /// The results just written, which count `members` workers, are the ones to keep from now on.
  void keep(int members);
  /// Takes what `other`, of the same payloads, has kept. Nothing is ever in flight in there.
  void take_kept(PassMemory& other);
  /// Payload of a block of the last complete average; null: there was none.
  const std::byte* kept(std::size_t block) const;
  int members_of_kept() const { return members_of_kept_; }

 private:
  std::vector<std::size_t> payloads_;
  std::size_t slot_bytes_ = 0;
  std::size_t result_bytes_ = 0;
  std::vector<std::size_t> result_at_;
  Memory<std::byte> results_;
  Memory<std::byte> kept_;
  std::vector<Memory<std::byte>> children_;
  Memory<float> scratch_;
  bool has_kept_ = false;
  int members_of_kept_ = 0;
};

}  // namespace duet::exchange
