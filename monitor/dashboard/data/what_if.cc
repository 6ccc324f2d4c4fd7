#include "dashboard/data/what_if.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

namespace duet::dashboard {

namespace {

/// Edges among `members`, told in ranks.
std::optional<std::vector<Edge>> repaired(const GraphOfRun& run, const std::vector<int>& members) {
  // A graph from a file is known here by its edges only.
  if (run.description.empty() || run.description.rfind("file:", 0) == 0 || run.rate <= 0) return std::nullopt;
  try {
    const Topology graph = named_policy(run.description, run.world_size, run.rate)->graph(members);
    std::vector<Edge> edges = graph.edges();
    for (Edge& edge : edges) {
      edge.a = members[static_cast<std::size_t>(edge.a)];
      edge.b = members[static_cast<std::size_t>(edge.b)];
      if (edge.a > edge.b) std::swap(edge.a, edge.b);
    }
    return edges;
  } catch (const std::exception&) {
    // An embedder's own kind of graph: its edges are all that is known.
    return std::nullopt;
  }
}

std::vector<Edge> reported(const GraphOfRun& run, const std::set<int>& members) {
  std::vector<Edge> edges;
  for (const observer::Edge& edge : run.edges) {
    if (members.contains(edge.a) && members.contains(edge.b)) {
      edges.push_back({edge.a, edge.b, edge.target_rate > 0 ? edge.target_rate : 1.0});
    }
  }
  return edges;
}

/// Root of every place, 0 … n−1.
std::vector<int> roots(int n, const std::vector<Edge>& edges) {
  std::vector<int> parent(static_cast<std::size_t>(n));
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&parent](int k) {
    while (parent[static_cast<std::size_t>(k)] != k) {
      int& up = parent[static_cast<std::size_t>(k)];
      up = parent[static_cast<std::size_t>(up)];
      k = up;
    }
    return k;
  };
  for (const Edge& edge : edges)
    parent[static_cast<std::size_t>(root(edge.a))] = root(edge.b);
  for (int k = 0; k < n; ++k)
    parent[static_cast<std::size_t>(k)] = root(k);
  return parent;
}

}  // namespace

void WhatIf::toggle_worker(int rank) {
  if (workers.erase(rank) == 0) workers.insert(rank);
}

void WhatIf::toggle_edge(int a, int b) {
  const std::pair<int, int> edge = std::minmax(a, b);
  if (edges.erase(edge) == 0) edges.insert(edge);
}

GraphOfRun GraphOfRun::of(const observer::Snapshot& snapshot) {
  GraphOfRun run;
  run.description = snapshot.run.graph;
  run.algorithm = snapshot.run.algorithm;
  run.rate = snapshot.run.rate;
  run.world_size = std::max(snapshot.run.world_size, static_cast<int>(snapshot.workers.size()));
  for (const observer::Worker& worker : snapshot.workers) {
    if (worker.live()) run.members.push_back(worker.rank);
  }
  for (const observer::Edge& edge : snapshot.edges) {
    if (edge.in_graph) run.edges.push_back(edge);
  }
  return run;
}

Prediction predict(const GraphOfRun& run, const WhatIf& what) {
  Prediction prediction;
  std::vector<int> members;
  for (const int rank : run.members) {
    if (!what.workers.contains(rank)) members.push_back(rank);
  }
  prediction.workers = static_cast<int>(members.size());
  if (members.empty()) {
    prediction.problem = "nobody is left";
    return prediction;
  }
  if (prediction.workers > kMostPredicted) {
    prediction.problem = "more than " + std::to_string(kMostPredicted) + " workers: this would take minutes";
    return prediction;
  }
  if (prediction.workers == 1) {
    prediction.components = 1;
    return prediction;
  }
  // As long as nobody was taken out, the graph is the one that was reported.
  std::optional<std::vector<Edge>> edges;
  if (!what.workers.empty()) edges = repaired(run, members);
  if (!edges) edges = reported(run, {members.begin(), members.end()});
  std::erase_if(*edges, [&what](const Edge& edge) { return what.edges.contains({edge.a, edge.b}); });

  std::map<int, int> place;
  for (std::size_t k = 0; k < members.size(); ++k)
    place[members[k]] = static_cast<int>(k);
  for (Edge& edge : *edges) {
    edge.a = place[edge.a];
    edge.b = place[edge.b];
  }
  const std::vector<int> root = roots(prediction.workers, *edges);
  std::map<int, std::vector<int>> parts;
  for (int k = 0; k < prediction.workers; ++k)
    parts[root[static_cast<std::size_t>(k)]].push_back(members[static_cast<std::size_t>(k)]);
  prediction.components = static_cast<int>(parts.size());
  if (prediction.components > 1) {
    prediction.cut_off = std::min_element(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
                           return a.second.size() < b.second.size();
                         })->second;
    prediction.constants.chi1 = prediction.constants.chi2 = std::numeric_limits<double>::infinity();
    prediction.mixing_steps = std::numeric_limits<double>::infinity();
    return prediction;
  }
  try {
    prediction.constants = Topology::from_edges(prediction.workers, *edges).constants();
  } catch (const std::exception& error) {
    prediction.problem = error.what();
    return prediction;
  }
  const Constants& constants = prediction.constants;
  prediction.mixing_steps =
      run.algorithm == "a2cid2" ? std::sqrt(constants.chi1 * constants.chi2) : constants.chi1;
  return prediction;
}

}  // namespace duet::dashboard
