#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "topology/matchings.h"
#include "topology/metropolis.h"

namespace duet::topology {
namespace {

const std::vector<std::pair<const char*, int>> kGraphs = {
    {"ring", 2},     {"ring", 7},       {"ring", 16},        {"path", 5},       {"star", 6},
    {"complete", 9}, {"torus:4x5", 20}, {"exponential", 12}, {"hypercube", 16}, {"random-regular:3", 14}};

TEST(Matchings, EveryWorkerGoesThroughAllOfItsNeighbours) {
  for (const auto& [name, workers] : kGraphs) {
    const Topology graph = Topology::make(name, workers);
    for (int worker = 0; worker < workers; ++worker) {
      std::vector<int> order = matching_order(graph, worker), neighbours;
      for (const Neighbour& neighbour : graph.neighbours(worker))
        neighbours.push_back(neighbour.worker);
      std::sort(order.begin(), order.end());
      EXPECT_EQ(order, neighbours) << name << " of " << workers;
    }
  }
}

/// Everyone waits for the one whose turn it is: as long as two want each other, they exchange.
TEST(Matchings, NobodyWaitsInACircle) {
  for (const auto& [name, workers] : kGraphs) {
    const Topology graph = Topology::make(name, workers);
    std::vector<std::vector<int>> orders;
    for (int worker = 0; worker < workers; ++worker)
      orders.push_back(matching_order(graph, worker));
    std::vector<std::size_t> next(orders.size());
    std::uint64_t exchanges = 0;
    int rounds = 0;
    for (bool moved = true; moved; ++rounds) {
      moved = false;
      const std::vector<std::size_t> before = next;
      for (const Edge& edge : graph.edges()) {
        const auto a = static_cast<std::size_t>(edge.a), b = static_cast<std::size_t>(edge.b);
        if (before[a] >= orders[a].size() || before[b] >= orders[b].size()) continue;
        if (orders[a][before[a]] != edge.b || orders[b][before[b]] != edge.a) continue;
        ++next[a];
        ++next[b];
        ++exchanges;
        moved = true;
      }
    }
    EXPECT_EQ(exchanges, graph.edge_count()) << name << " of " << workers;
    std::size_t degree = 0;
    for (const auto& order : orders)
      degree = std::max(degree, order.size());
    EXPECT_LE(rounds, static_cast<int>(2 * degree))
        << name << " of " << workers;  // the last one moves nothing
  }
}

TEST(Metropolis, EveryRowAndColumnIsAnAverage) {
  for (const auto& [name, workers] : kGraphs) {
    const Topology graph = Topology::make(name, workers);
    std::vector<double> own(static_cast<std::size_t>(workers), 1.0);
    for (const Edge& edge : graph.edges()) {
      const std::size_t at_a = graph.neighbours(edge.a).size(), at_b = graph.neighbours(edge.b).size();
      EXPECT_EQ(metropolis_weight(at_a, at_b), metropolis_weight(at_b, at_a));
      own[static_cast<std::size_t>(edge.a)] -= metropolis_weight(at_a, at_b);
      own[static_cast<std::size_t>(edge.b)] -= metropolis_weight(at_a, at_b);
    }
    // Its own weight is what is left, and positive: the matrix has no eigenvalue −1, whatever the graph.
    for (const double weight : own)
      EXPECT_GT(weight, 1e-9) << name << " of " << workers;
  }
}

}  // namespace
}  // namespace duet::topology
