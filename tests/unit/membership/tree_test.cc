#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "membership/members.h"

namespace duet::membership {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<int> all_of(int workers) {
  std::vector<int> ranks(static_cast<std::size_t>(workers));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

std::set<int> neighbours_of(const Topology& topology, int rank) {
  std::set<int> neighbours;
  for (const Neighbour& neighbour : topology.neighbours(rank))
    neighbours.insert(neighbour.worker);
  return neighbours;
}

/// Everyone's trees together must be one tree over exactly `ranks`, along the graph wherever it hangs
/// together.
void expect_one_tree(const Topology& topology, const std::vector<int>& ranks) {
  std::map<int, Tree> trees;
  for (const int rank : ranks)
    trees[rank] = make_tree(topology, ranks, rank);
  const int root = *std::min_element(ranks.begin(), ranks.end());
  int height = 0;
  for (const auto& [rank, tree] : trees) {
    SCOPED_TRACE("rank " + std::to_string(rank));
    height = std::max(height, tree.depth);
    EXPECT_EQ(tree.size, static_cast<int>(ranks.size()));
    EXPECT_TRUE(std::is_sorted(tree.children.begin(), tree.children.end()));
    for (const int child : tree.children) {
      ASSERT_EQ(trees.count(child), 1u);
      EXPECT_EQ(trees.at(child).parent, rank);
      EXPECT_EQ(trees.at(child).depth, tree.depth + 1);
    }
    if (rank == root) {
      EXPECT_EQ(tree.parent, -1);
      EXPECT_EQ(tree.depth, 0);
      continue;
    }
    ASSERT_EQ(trees.count(tree.parent), 1u);
    const std::vector<int>& siblings = trees.at(tree.parent).children;
    EXPECT_EQ(std::count(siblings.begin(), siblings.end(), rank), 1);
    if (neighbours_of(topology, rank).count(tree.parent) == 0) {
      // Not along an edge: then it ties a component of its own to the root, and is the lowest there.
      EXPECT_EQ(tree.parent, root);
      std::vector<int> component = {rank};
      for (std::size_t next = 0; next < component.size(); ++next) {
        for (const int neighbour : neighbours_of(topology, component[next])) {
          if (trees.count(neighbour) == 0 || std::count(component.begin(), component.end(), neighbour) > 0)
            continue;
          component.push_back(neighbour);
        }
      }
      EXPECT_EQ(*std::min_element(component.begin(), component.end()), rank);
      EXPECT_EQ(std::count(component.begin(), component.end(), root), 0);
    }
  }
  for (const auto& [rank, tree] : trees)
    EXPECT_EQ(tree.height, height);
}

TEST(Tree, SpansEveryGraph) {
  for (const char* graph :
       {"ring", "complete", "exponential", "star", "path", "torus", "hypercube", "random-regular:3"}) {
    for (const int workers : {2, 4, 16, 64}) {
      if (std::string(graph) == "random-regular:3" && workers == 2) continue;
      if (std::string(graph) == "torus" && workers == 2) continue;
      SCOPED_TRACE(graph + std::string(" of ") + std::to_string(workers));
      expect_one_tree(Topology::make(graph, workers), all_of(workers));
    }
  }
}

TEST(Tree, SpansWhatIsLeftOfEveryGraph) {
  std::mt19937_64 random(5);
  for (const char* graph : {"ring", "complete", "exponential", "star", "path", "torus", "hypercube"}) {
    const Topology topology = Topology::make(graph, 16);
    for (int i = 0; i < 60; ++i) {
      std::vector<int> ranks;
      for (const int rank : all_of(16)) {
        if (random() % 3 != 0) ranks.push_back(rank);
      }
      if (ranks.empty()) continue;
      std::shuffle(ranks.begin(), ranks.end(), random);
      SCOPED_TRACE(graph);
      expect_one_tree(topology, ranks);
    }
  }
}

TEST(Tree, IsBreadthFirst) {
  const Tree tree = make_tree(Topology::make("ring", 8), all_of(8), 4);
  EXPECT_EQ(tree.depth, 4);
  EXPECT_EQ(tree.parent, 3);  // not 5: the lower ranks come first
  EXPECT_TRUE(tree.children.empty());
  EXPECT_EQ(tree.height, 4);
  EXPECT_EQ(make_tree(Topology::make("ring", 8), all_of(8), 0).children, (std::vector<int>{1, 7}));
}

TEST(Tree, TiesAStarWithoutItsCentreTogether) {
  const Topology star = Topology::make("star", 5);
  const Tree tree = make_tree(star, {1, 2, 3, 4}, 1);
  EXPECT_EQ(tree.children, (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(tree.height, 1);
}

TEST(Tree, OneAndTwoMembersAreTreesToo) {
  const Topology alone = Topology::make("ring", 1);
  EXPECT_EQ(make_tree(alone, {0}, 0).size, 1);
  EXPECT_EQ(make_tree(alone, {0}, 0).parent, -1);
  const Topology pair = Topology::make("ring", 2);
  EXPECT_EQ(make_tree(pair, {0, 1}, 0).children, (std::vector<int>{1}));
  EXPECT_EQ(make_tree(pair, {0, 1}, 1).parent, 0);
  EXPECT_EQ(make_tree(pair, {1}, 1).parent, -1);
}

TEST(Tree, WhoIsNotAmongTheRanksIsAlone) {
  const Topology ring = Topology::make("ring", 4);
  for (const int self : {2, -1, 4, 1000}) {
    const Tree tree = make_tree(ring, {0, 1, 3}, self);
    EXPECT_EQ(tree.size, 1);
    EXPECT_EQ(tree.parent, -1);
    EXPECT_TRUE(tree.children.empty());
  }
  EXPECT_EQ(make_tree(ring, {0, 1, 1, 9, -3, 3}, 0).size, 3);  // what is no rank does not count
}

TEST(Tree, AThousandMembersAreQuick) {
  const Topology exponential = Topology::make("exponential", 1000);
  const std::vector<int> ranks = all_of(1000);
  const Clock::time_point start = Clock::now();
  int reached = 0;
  for (int self = 0; self < 1000; self += 10)
    reached += make_tree(exponential, ranks, self).depth >= 0 ? 1 : 0;
  EXPECT_EQ(reached, 100);
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - start).count(),
            5.0);  // 0.1 s, sanitizers and all others aside
}

}  // namespace
}  // namespace duet::membership
