#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "duet/error.h"
#include "duet/topology.h"
#include "topology/checks.h"

namespace duet {
namespace {

constexpr std::string_view kFile = "file:";

/// See fixed_policy().
Topology remainder(const Topology& graph, const std::vector<int>& members) {
  const auto place = [&](int rank) {
    const auto found = std::lower_bound(members.begin(), members.end(), rank);
    return found != members.end() && *found == rank ? static_cast<int>(found - members.begin()) : -1;
  };
  std::vector<Edge> edges;
  double smallest = std::numeric_limits<double>::infinity();
  topology::Components components(static_cast<int>(members.size()));
  for (const Edge& edge : graph.edges()) {
    smallest = std::min(smallest, edge.rate);
    const int a = place(edge.a), b = place(edge.b);
    if (a < 0 || b < 0) continue;
    edges.push_back({a, b, edge.rate});
    components.join(a, b);
  }
  // Ascending: whoever is not reached yet is the lowest of its part.
  for (int k = 1; k < static_cast<int>(members.size()); ++k) {
    if (components.join(0, k)) edges.push_back({0, k, smallest});
  }
  return Topology::from_edges(
      static_cast<int>(members.size()), std::move(edges),
      fmt::format("{} without {} of {}", graph.name(), graph.workers() - static_cast<int>(members.size()),
                  graph.workers()));
}

class FixedPolicy final : public TopologyPolicy {
 public:
  explicit FixedPolicy(const Topology& graph) : graph_(graph) {}

  Topology graph(const std::vector<int>& members) const override {
    if (static_cast<int>(members.size()) == graph_.workers()) return graph_;
    if (members.empty() || members.front() < 0 || members.back() >= graph_.workers()) {
      throw ConfigurationError(
          fmt::format("graph {}: it is for the ranks 0 to {}", graph_.name(), graph_.workers() - 1));
    }
    return remainder(graph_, members);
  }

 private:
  Topology graph_;
};

class NamedPolicy final : public TopologyPolicy {
 public:
  NamedPolicy(std::string description, const Topology& start, double rate)
      : description_(std::move(description)), rate_(rate), whole_(start), start_(start) {}

  Topology graph(const std::vector<int>& members) const override {
    if (static_cast<int>(members.size()) == whole_.workers()) return whole_;
    try {
      return Topology::make(description_, static_cast<int>(members.size()), rate_);
    } catch (const ConfigurationError&) {
      return start_.graph(members);
    }
  }

 private:
  std::string description_;
  double rate_;
  Topology whole_;
  FixedPolicy start_;
};

}  // namespace

TopologyPolicy::~TopologyPolicy() = default;

std::shared_ptr<const TopologyPolicy> named_policy(std::string_view description, int workers, double rate) {
  Topology start = Topology::make(description, workers, rate);
  if (description.starts_with(kFile)) return fixed_policy(start);
  return std::make_shared<const NamedPolicy>(std::string(description), start, rate);
}

std::shared_ptr<const TopologyPolicy> fixed_policy(const Topology& graph) {
  return std::make_shared<const FixedPolicy>(graph);
}

}  // namespace duet
