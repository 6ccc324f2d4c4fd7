#pragma once

#include <optional>
#include <string>

#include "duet/status.h"

namespace duet::exporter {

/// All that metrics and pages tell about one worker, at one moment: from a Worker in this process, or from
/// what an observer heard of one elsewhere.
struct WorkerView {
  int rank = 0;
  int world_size = 1;
  std::string run_id, version, transport, topology, algorithm;
  bool reports_meetings = true;  ///< false with a synchronous algorithm, or alone
  WorkerStatistics statistics;
  /// The newest tick of which this worker was told.
  struct Tick {
    double time = 0.0;  ///< Unix seconds
    double consensus_distance = 0.0;
    double distance_to_mean = 0.0;
  };
  std::optional<Tick> tick;
  int most_edges = 32;
};

}  // namespace duet::exporter
