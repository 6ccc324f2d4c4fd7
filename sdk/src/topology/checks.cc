#include "topology/checks.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include "duet/error.h"

namespace duet::topology {

void require_workers(const std::string& name, int workers) {
  if (workers < 1)
    throw ConfigurationError(fmt::format("graph {}: {} workers; at least 1 is needed", name, workers));
}

void require_rate(const std::string& name, double rate) {
  if (!(rate >= kLeastRate && rate <= kMostRate)) {
    throw ConfigurationError(fmt::format(
        "graph {}: rate = {}; it must be a positive number of meetings per gradient step, from 1e-6 to 1e6",
        name, rate));
  }
}

void normalise(const std::string& name, int workers, std::vector<Edge>& edges) {
  for (Edge& edge : edges) {
    if (edge.a > edge.b) std::swap(edge.a, edge.b);
    const auto refuse = [&](const std::string& why) {
      throw ConfigurationError(fmt::format("graph {}: edge {{{}, {}}} {}", name, edge.a, edge.b, why));
    };
    if (edge.a < 0 || edge.b >= workers)
      refuse(fmt::format("is out of range: workers are 0 to {}", workers - 1));
    if (edge.a == edge.b) refuse("is a self-loop: nobody meets themselves");
    if (!(edge.rate > 0.0) || !std::isfinite(edge.rate)) {
      refuse(fmt::format("has rate {}: it must be positive and finite", edge.rate));
    }
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& left, const Edge& right) {
    return std::pair(left.a, left.b) < std::pair(right.a, right.b);
  });
  const auto twice = std::adjacent_find(edges.begin(), edges.end(), [](const Edge& left, const Edge& right) {
    return left.a == right.a && left.b == right.b;
  });
  if (twice != edges.end()) {
    throw ConfigurationError(
        fmt::format("graph {}: edge {{{}, {}}} is there twice; add up the rates into one edge", name,
                    twice->a, twice->b));
  }
}

void require_connected(const std::string& name, int workers, const std::vector<Edge>& edges) {
  Components components(workers);
  for (const Edge& edge : edges)
    components.join(edge.a, edge.b);
  for (int worker = 1; worker < workers; ++worker) {
    if (components.root(worker) != components.root(0)) {
      throw ConfigurationError(
          fmt::format("graph {}: not connected, worker {} cannot be reached from worker 0; add an edge "
                      "between their parts",
                      name, worker));
    }
  }
}

void share_budget(int workers, double rate, std::vector<Edge>& edges) {
  std::vector<int> degree(static_cast<std::size_t>(workers), 0);
  for (const Edge& edge : edges) {
    ++degree[static_cast<std::size_t>(edge.a)];
    ++degree[static_cast<std::size_t>(edge.b)];
  }
  for (Edge& edge : edges) {
    edge.rate =
        rate / std::max(degree[static_cast<std::size_t>(edge.a)], degree[static_cast<std::size_t>(edge.b)]);
  }
}

Components::Components(int workers) : parent_(static_cast<std::size_t>(workers)) {
  std::iota(parent_.begin(), parent_.end(), 0);
}

int Components::root(int worker) {
  auto at = static_cast<std::size_t>(worker);
  while (parent_[at] != static_cast<int>(at)) {
    parent_[at] = parent_[static_cast<std::size_t>(parent_[at])];
    at = static_cast<std::size_t>(parent_[at]);
  }
  return static_cast<int>(at);
}

bool Components::join(int a, int b) {
  const int root_a = root(a);
  const int root_b = root(b);
  if (root_a == root_b) return false;
  parent_[static_cast<std::size_t>(std::max(root_a, root_b))] = std::min(root_a, root_b);
  return true;
}

}  // namespace duet::topology
