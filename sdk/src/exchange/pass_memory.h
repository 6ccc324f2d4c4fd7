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
/// sums.
class PassMemory {
 public:
  /// Blocks that one connection has under way in one direction.
  static constexpr std::size_t kInFlight = 4;

  explicit PassMemory(const Replica& replica);
  /// Waits for what devices still do with it, for some seconds at most.
  ~PassMemory();
  void provide_for(std::size_t children);

  std::byte* result(std::size_t block) { return results_.get() + result_at_[block]; }
  std::byte* from_child(std::size_t child, std::size_t block) {
    return children_[child].get() + block % kInFlight * slot_bytes_;
  }
  float* scratch() { return scratch_.get(); }  ///< one block

  /// One block of device memory on its way.
  struct Passage {
    device::Bytes memory;    ///< the block, in float32
    device::Bytes position;  ///< x + d, to compare with it
    device::Event moved;     ///< the last that touches either, or host memory on their account
  };
  Passage& passage(const DevicePart* part, std::size_t turn);
  /// ‖(x + d) − result‖², over all of a pass's blocks on that device: in device memory, and copied to the
  /// host.
  double* sum_there(const DevicePart* part) { return reinterpret_cast<double*>(ways(part).sum.get()); }
  double* sum_here(const DevicePart* part) { return reinterpret_cast<double*>(ways(part).copied_sum.get()); }
  /// Nothing enqueued on a device touches it any more.
  bool idle() const;

  /// How many workers the last complete average counts, for the attempt in which this worker passes it on.
  int members_of_result() const { return members_of_result_; }
  void set_members_of_result(int members) { members_of_result_ = members; }

 private:
  struct Ways {
    const DevicePart* part = nullptr;
    std::vector<Passage> passages;
    device::Bytes sum, copied_sum;
  };
  Ways& ways(const DevicePart* part);

  std::size_t slot_bytes_;
  std::vector<std::size_t> result_at_;
  device::Bytes results_;
  std::vector<Ways> ways_;  // by device
  std::vector<Memory<std::byte>> children_;
  Memory<float> scratch_;
  int members_of_result_ = 1;
};

}  // namespace duet::exchange
