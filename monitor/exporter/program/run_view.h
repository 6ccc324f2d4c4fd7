#pragma once

#include <string>
#include <vector>

#include "duet/observer/snapshot.h"
#include "duet/observer/source.h"
#include "view.h"

namespace duet::exporter {

/// All that metrics and pages tell about a run, at one moment.
struct RunView {
  std::string run_id, algorithm, topology;  ///< empty: nobody was heard yet
  int world_size = 0;
  std::vector<WorkerView> workers;  ///< those that are heard, by rank
  std::vector<int> silent;          ///< ranks that should be heard and are not
  /// Where one stands with whom one is connected to: "nobody answers at node0:29800 yet; trying again".
  std::string connection;
};

struct RunViewOptions {
  int most_edges = 32;    ///< as ExporterOptions::most_edges
  double forget = 600.0;  ///< seconds after which a worker that is gone is silent no more: it is left out
};

/// From what an observer knows. Whoever finished and went is left out, and so is who is told of without an
/// address where it could be heard. Pure.
RunView run_view(const observer::Snapshot& snapshot, const observer::SourceStatus& status,
                 const RunViewOptions& options = {});

}  // namespace duet::exporter
