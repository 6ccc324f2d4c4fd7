#pragma once

#include <cstdint>
#include <vector>

#include "duet/observer/snapshot.h"

namespace duet::observer {

/// What one worker says about one tick.
struct TickReport {
  std::uint64_t tick = 0;
  double time = 0.0;  ///< of the tick, Unix seconds
  int rank = -1;
  int members = 0;         ///< that the tree summed up
  double consensus = 0.0;  ///< √(mean ‖x_i − x̄‖²) over them
  double distance = 0.0;   ///< the worker's own ‖x_i − x̄‖
};

/// The run at one tick, from what its workers say about it; at least one report, one for each rank. Where the
/// workers have fallen apart, each part has a mean and a consensus distance of its own: the largest part
/// stands, and only its workers count (of two equal ones that of the lowest rank). Pure.
ConsensusSample estimate_consensus(std::vector<TickReport> reports);

}  // namespace duet::observer
