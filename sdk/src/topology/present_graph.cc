#include "topology/present_graph.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "duet/error.h"

namespace duet::topology {
namespace {

/// Dense, this many take some tens of milliseconds.
constexpr int kMostDense = 256;

Topology ask(const TopologyPolicy& policy, const std::vector<int>& members) {
  const auto count = static_cast<int>(members.size());
  if (count == 1) return Topology::from_edges(1, {}, "one worker");
  Topology graph = policy.graph(members);
  if (graph.workers() != count) {
    throw ConfigurationError(fmt::format(
        "the topology policy was asked for a graph of {} workers and gave one of {} ({}); worker k of it is "
        "the k-th of the members that it was given",
        count, graph.workers(), graph.name()));
  }
  return graph;
}

}  // namespace

PresentGraph::PresentGraph(const TopologyPolicy& policy, std::vector<int> members)
    : members_(std::move(members)), topology_(ask(policy, members_)) {}

std::vector<Neighbour> PresentGraph::neighbours(int rank) const {
  const auto found = std::lower_bound(members_.begin(), members_.end(), rank);
  if (found == members_.end() || *found != rank) return {};
  std::vector<Neighbour> neighbours = topology_.neighbours(static_cast<int>(found - members_.begin()));
  for (Neighbour& neighbour : neighbours)
    neighbour.worker = members_[static_cast<std::size_t>(neighbour.worker)];
  return neighbours;
}

Constants constants_in_time(const Topology& graph, const Constants& before) {
  return graph.has_closed_form() || graph.workers() <= kMostDense ? graph.constants() : before;
}

}  // namespace duet::topology
