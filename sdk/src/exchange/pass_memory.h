#pragma once

#include <cstddef>
#include <vector>

#include "device/device.h"
#include "exchange/memory.h"

namespace duet::exchange {

class DevicePart;
class Replica;

/// What a tree pass works in: the result, block by block, each behind its own header, so that sums go up, the
/// result comes down and is passed on from one place without a copy; and a few blocks per child for their
/// sums. All in host memory, pinned where there are devices: sums are added on the host, where children's
/// arrive. Blocks of devices come and go through a few blocks of device memory.
///
/// The result of the last complete average is kept, because whoever missed it asks for it in a later attempt;
/// the next pass works in a second area of the same size, which is allocated only then.
class PassMemory {
 public:
  /// Blocks that one connection has under way in one direction.
  static constexpr std::size_t kInFlight = 4;

  /// payloads: bytes of every block behind its header.
  PassMemory(std::vector<std::size_t> payloads, const Replica& replica);
  /// Waits for what devices still do with it, for some seconds at most.
  ~PassMemory();
  const std::vector<std::size_t>& payloads() const { return payloads_; }
  /// Before a pass: allocates what it will work in.
  void prepare(std::size_t children);

  std::byte* result(std::size_t block) { return results_.get() + result_at_[block]; }
  std::byte* from_child(std::size_t child, std::size_t block) {
    return children_[child].get() + block % kInFlight * slot_bytes_;
  }
  float* scratch() { return scratch_.get(); }  ///< one block

  /// One block of device memory on its way.
  struct Passage {
    device::Bytes memory;    ///< the block, in float32
    device::Bytes position;  ///< x + d …
    device::Bytes goal;      ///< … and what it is compared with, where that is not the block
    device::Event moved;     ///< the last that touches any of them, or host memory on their account
  };
  Passage& passage(const DevicePart* part, std::size_t turn);
  /// ‖(x + d) − goal‖², over all of a pass's blocks on that device: in device memory, and copied to the host.
  double* sum_there(const DevicePart* part) { return reinterpret_cast<double*>(ways(part).sum.get()); }
  double* sum_here(const DevicePart* part) { return reinterpret_cast<double*>(ways(part).copied_sum.get()); }
  /// Nothing enqueued on a device touches it any more.
  bool idle() const;

  /// The results just written, which count `members` workers, are the ones to keep from now on.
  void keep(int members);
  /// Takes what `other`, of the same payloads, has kept. Nothing is ever in flight in there.
  void take_kept(PassMemory& other);
  /// Payload of a block of the last complete average; null: there was none.
  const std::byte* kept(std::size_t block) const;
  int members_of_kept() const { return members_of_kept_; }

 private:
  struct Ways {
    const DevicePart* part = nullptr;
    std::vector<Passage> passages;
    device::Bytes sum, copied_sum;
  };
  Ways& ways(const DevicePart* part);

  std::vector<std::size_t> payloads_;
  std::size_t slot_bytes_ = 0;
  std::size_t result_bytes_ = 0;
  std::vector<std::size_t> result_at_;
  std::shared_ptr<device::Device> pinned_by_;  ///< null: no devices
  device::Bytes results_;
  device::Bytes kept_;
  std::vector<Ways> ways_;  ///< by device
  std::vector<Memory<std::byte>> children_;
  Memory<float> scratch_;
  bool has_kept_ = false;
  int members_of_kept_ = 0;
};

}  // namespace duet::exchange
