#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "duet/topology.h"
#include "simulation/pairing_run.h"

namespace duet::simulation {

/// Pure gossip: workers that start from random vectors and only meet. The mixing, the clock, the pairing are
/// those of the real worker; the network and the trainers' steps are virtual. One step takes one virtual
/// second.
struct GossipOptions {
  std::string algorithm = "a2cid2";
  std::string clock = "adaptive";
  std::string policy = "holdoff";
  bool unlimited_budget = false;  ///< always available, no training
  bool deterministic_budget = false;
  double meeting_time = 0.02;   ///< steps
  double meeting_spread = 0.2;  ///< a meeting takes meeting_time · (1 ± spread), uniform
  double step_spread = 0.2;     ///< a step takes 1 ± spread, uniform
  double slow_edges = 0.0;      ///< share of the edges on which a meeting takes slow_factor times as long
  double slow_factor = 5.0;
  double latency = 1e-4;  ///< steps
  double latency_spread = 1e-4;
  std::size_t dimension = 64;
  double reduction = 1e-6;      ///< run until the squared consensus distance has fallen to this
  double most_meetings = 4000;  ///< per worker: then it is given up
  std::uint64_t seed = 0;
};

struct GossipResult {
  bool reached = false;
  /// Meetings that each worker took part in, in the mean, until then.
  double meetings = 0.0;
  double seconds = 0.0;           ///< virtual
  double squared_distance = 0.0;  ///< in the end, as a share of the start
  std::map<std::pair<int, int>, std::uint64_t> edge_meetings;
  std::uint64_t messages = 0;  ///< of all workers

  /// The least used edge's meetings by those of the mean edge, each by its target rate.
  double least_edge_share(const Topology& topology) const;
};

GossipResult run_gossip(const Topology& topology, const GossipOptions& options);

}  // namespace duet::simulation
