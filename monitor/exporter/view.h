#pragma once

#include <string>
#include <vector>

#include "duet/options.h"
#include "duet/status.h"

namespace duet::exporter {

/// All that the pages tell about one worker, at one moment.
struct WorkerView {
  int rank = 0;
  int world_size = 1;
  std::string run_id, transport, topology, algorithm;
  bool reports_meetings = true;  ///< false with a synchronous algorithm, or alone
  WorkerStatistics statistics;
  RunStatus status;
  double tick_interval = 0.0;  ///< seconds; 0: there are no ticks
  std::vector<MemberStatus> members;
  std::vector<int> lost;
  int most_edges = 32;
};

}  // namespace duet::exporter
