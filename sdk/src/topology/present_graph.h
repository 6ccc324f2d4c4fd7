#pragma once

#include <vector>

#include "duet/topology.h"

namespace duet::topology {

/// A policy's graph among the members present, told in the ranks of the run. Pure; a value.
class PresentGraph {
 public:
  /// members: ascending, at least one; one alone is not put to the policy. Throws ConfigurationError when the
  /// policy does, or when its graph has another number of workers.
  PresentGraph(const TopologyPolicy& policy, std::vector<int> members);

  const std::vector<int>& members() const { return members_; }
  const Topology& topology() const { return topology_; }
  /// By rank; none for a rank that is not present.
  std::vector<Neighbour> neighbours(int rank) const;

 private:
  std::vector<int> members_;
  Topology topology_;
};

/// Constants of a graph that has just changed, quickly enough for a thread that others wait for: where they
/// had to be computed densely for many workers, those of before stand (one worker less in a large graph
/// changes little).
Constants constants_in_time(const Topology& graph, const Constants& before);

}  // namespace duet::topology
