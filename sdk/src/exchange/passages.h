#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "device/device.h"

namespace duet::exchange {

class DevicePart;

/// The way of a tree pass's blocks between devices and host memory: on each device a few blocks of its
/// memory, and pinned host memory beside them. Made with the replica and kept as long, for whatever passes
/// there are: memory that is freed, or allocated, makes the communication thread wait for all that a device
/// has to do. That thread's own.
class Passages {
 public:
  static constexpr std::size_t kAtOnce = 4;

  /// Throws ConfigurationError: no memory.
  Passages(const std::vector<std::unique_ptr<DevicePart>>& parts, std::size_t largest_block);

  /// One block on its way.
  struct Passage {
    device::Bytes memory;     ///< the block, in float32, on the device …
    device::Bytes host;       ///< … and pinned
    device::Bytes position;   ///< x + d …
    device::Bytes goal;       ///< … and what it is compared with, where that is not the block …
    device::Bytes host_goal;  ///< … and pinned
    device::Event moved;      ///< the last that touches any of them
  };
  Passage& at(const DevicePart* part, std::size_t turn);

  /// ‖(x + d) − goal‖², over all of a pass's blocks on that device: in device memory, and copied to the host.
  double* sum_there(const DevicePart* part) { return reinterpret_cast<double*>(ways(part).sum.get()); }
  double* sum_here(const DevicePart* part) { return reinterpret_cast<double*>(ways(part).copied_sum.get()); }

  /// Nothing enqueued on a device touches any of it.
  bool idle() const;

 private:
  struct Ways {
    const DevicePart* part = nullptr;
    std::vector<Passage> passages;
    device::Bytes sum, copied_sum;
  };
  Ways& ways(const DevicePart* part);

  std::vector<Ways> ways_;  ///< by device
};

}  // namespace duet::exchange
