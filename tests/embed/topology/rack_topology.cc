#include "rack_topology.h"

duet::Topology RackTopology::graph(const std::vector<int>& members) const {
  constexpr double kWithinRack = 1.0;     // meetings per gradient step
  constexpr double kBetweenRacks = 0.25;  // per pair of racks that are next to each other
  const int count = static_cast<int>(members.size());
  const auto rack = [&](int k) { return members[static_cast<std::size_t>(k)] / rack_size_; };
  std::vector<duet::Edge> edges;
  for (int a = 0; a < count; ++a) {
    for (int b = a + 1; b < count; ++b) {
      if (rack(a) == rack(b)) edges.push_back({a, b, kWithinRack});
    }
  }
  // One cable from each rack to the next: from its last worker to the other's first.
  for (int b = 1; b < count; ++b) {
    if (rack(b) != rack(b - 1)) edges.push_back({b - 1, b, kBetweenRacks});
  }
  return duet::Topology::from_edges(count, std::move(edges), "racks");
}
