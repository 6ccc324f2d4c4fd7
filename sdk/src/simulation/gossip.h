#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "duet/topology.h"
#include "simulation/scenario.h"

namespace duet::simulation {

/// Pure gossip: workers that start from random vectors and only meet. The mixing, the clock, the pairing are
/// those of the real worker; the network and the trainers' steps are virtual.
struct GossipOptions : Scenario {
  /// Run until the squared consensus distance has fallen to this; 0: until most_meetings.
  double reduction = 1e-6;
  double most_meetings = 4000;  ///< per worker: then it is given up
};

struct GossipPoint {
  double seconds = 0.0;
  double meetings = 0.0;          ///< per worker
  double squared_distance = 0.0;  ///< as a share of the start
};

struct GossipResult {
  bool reached = false;
  bool diverged = false;  ///< the squared consensus distance grew beyond 10¹², or is no number
  /// Nobody met any more, long before most_meetings. The run waits for that 10⁴ steps, or a hundred times as
  /// long as a worker waits for a meeting on average.
  bool fell_apart = false;
  /// Meetings that each living worker took part in, in the mean, until then. A meeting acts when it begins
  /// and counts when it ends: those under way, at most one of each worker, are in the distance and not in
  /// here.
  double meetings = 0.0;
  int members = 0;                ///< who lived at the end
  double seconds = 0.0;           ///< virtual
  double squared_distance = 0.0;  ///< in the end, as a share of the start
  /// How far the mean of x + d + ½z, and that of x + d, moved, as a share of the starting consensus distance.
  /// Nothing but rounding and torn meetings moves the first. NaN when somebody died.
  double invariant_drift = 0.0;
  double mean_wander = 0.0;
  std::map<std::pair<int, int>, std::uint64_t> edge_meetings;
  std::uint64_t messages = 0;  ///< of all workers
  /// Whenever each worker had met about once more.
  std::vector<GossipPoint> curve;

  /// The least used edge's meetings by those of the mean edge, each by its target rate.
  double least_edge_share(const Topology& topology) const;
  /// By how much ln of the squared consensus distance falls per meeting of each worker, in the curve's last
  /// half: the rate of the slowest mode. 0 when there is no such half.
  double rate() const;
};

GossipResult run_gossip(const Topology& topology, const GossipOptions& options,
                        const Progress& progress = {});

}  // namespace duet::simulation
