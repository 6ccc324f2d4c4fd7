#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device/device.h"
#include "exchange/replica.h"
#include "telemetry/sketch.h"

namespace duet::worker {

/// The sketch of a replica's position x + d, wherever its blocks are: blocks of host memory are added at
/// once, those on a device in the order of a stream, each device's sums being fetched at the end. Statistics
/// are no part of the position. For one of the two threads of a worker.
class PositionSketch {
 public:
  enum class Side : std::uint8_t { kTrainer, kCommunication };
  PositionSketch(exchange::Replica& replica, std::uint64_t seed, Side side);
  ~PositionSketch();

  void reset();
  /// Adds blocks from the first that is missing, `most` of them, each behind the gate, which it waits for (at
  /// most `patience` seconds in all; the trainer's side is inside already). False: the trainer did not let
  /// go of the gate.
  bool add(std::size_t most, double patience);
  bool all_added() const { return next_ == replica_.parameter_block_count(); }
  std::size_t added() const { return next_; }
  /// When all are added: whether the devices' sums are here. Nothing waits.
  bool here();
  /// … or not within `seconds`, of which many: throws TimeoutError.
  void wait(double seconds);
  std::vector<double> values() const;

 private:
  struct There {
    exchange::DevicePart* part = nullptr;
    device::Bytes sums;         // device memory
    device::Bytes copied_sums;  // host memory
    device::Event last;
    bool cleared = false;
  };
  void add_block(const exchange::Block& block);

  exchange::Replica& replica_;
  Side side_;
  telemetry::Sketcher sketcher_;
  std::vector<There> there_;
  std::size_t next_ = 0;
  bool fetching_ = false;
};

/// The projection's seed, the same on all members.
std::uint64_t sketch_seed(std::uint64_t run_seed);

}  // namespace duet::worker
