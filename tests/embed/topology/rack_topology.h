#pragma once

#include <duet/topology.h>

#include <vector>

/// Machines in racks, a fast switch in each and one slow cable from rack to rack: workers of one rack meet
/// often, those of different racks seldom. Where somebody is missing, the cable goes to who is left.
class RackTopology {
 public:
  explicit RackTopology(int rack_size) : rack_size_(rack_size) {}

  /// The graph of the workers that are there. `members`: their ranks, ascending; worker k of the graph is
  /// members[k].
  duet::Topology graph(const std::vector<int>& members) const;

 private:
  int rack_size_;
};
