#pragma once

#include <duet/topology.h>

#include <string>
#include <vector>

/// A topology of one's own: machines stand in racks of `size` consecutive ranks. Within a rank's rack
/// everybody is a good neighbour; between racks there is one slow link, which is used as seldom as
/// `bridge_rate` says. Whoever is gone leaves a smaller ring, and a rack that is gone altogether leaves its
/// neighbours linked.
class RackPolicy : public duet::TopologyPolicy {
 public:
  RackPolicy(int size, double bridge_rate) : size_(size), bridge_rate_(bridge_rate) {}

  duet::Topology graph(const std::vector<int>& members) const override {
    std::vector<std::vector<int>> racks;  // of places: worker k of the graph is members[k]
    for (int k = 0; k < static_cast<int>(members.size()); ++k) {
      const bool same_rack = k > 0 && rack_of(members, k) == rack_of(members, k - 1);
      if (!same_rack) racks.emplace_back();
      racks.back().push_back(k);
    }
    std::vector<duet::Edge> edges;
    for (std::size_t r = 0; r < racks.size(); ++r) {
      add_ring(racks[r], edges);
      if (r > 0) edges.push_back({racks[r - 1].front(), racks[r].front(), bridge_rate_});
    }
    return duet::Topology::from_edges(static_cast<int>(members.size()), std::move(edges),
                                      std::to_string(racks.size()) + " racks");
  }

 private:
  int rack_of(const std::vector<int>& members, int k) const {
    return members[static_cast<std::size_t>(k)] / size_;
  }

  // Each member of a ring has a budget of one meeting per step, shared by its two edges.
  static void add_ring(const std::vector<int>& places, std::vector<duet::Edge>& edges) {
    const std::size_t n = places.size();
    if (n == 2) edges.push_back({places[0], places[1], 1.0});
    for (std::size_t i = 0; n > 2 && i < n; ++i)
      edges.push_back({places[i], places[(i + 1) % n], 0.5});
  }

  int size_;
  double bridge_rate_;
};
