#include <algorithm>
#include <cstddef>

#include "membership/members.h"

namespace duet::membership {
namespace {

constexpr int kOutside = -2;    ///< not among the ranks
constexpr int kUnreached = -1;  ///< not yet in the tree

}  // namespace

Tree make_tree(const Topology& topology, const std::vector<int>& ranks, int self) {
  const auto workers = static_cast<std::size_t>(topology.workers());
  std::vector<int> depth(workers, kOutside);
  std::vector<int> parent(workers, -1);
  std::vector<int> members;
  for (const int rank : ranks) {
    const auto index = static_cast<std::size_t>(rank);
    if (index >= workers || depth[index] == kUnreached) continue;
    depth[index] = kUnreached;
    members.push_back(rank);
  }
  std::sort(members.begin(), members.end());

  Tree tree;
  if (self < 0 || static_cast<std::size_t>(self) >= workers ||
      depth[static_cast<std::size_t>(self)] == kOutside) {
    return tree;
  }
  tree.size = static_cast<int>(members.size());

  std::vector<int> queue;
  queue.reserve(members.size());
  const auto reach = [&](int rank, int from, int at_depth) {
    const auto index = static_cast<std::size_t>(rank);
    if (depth[index] != kUnreached) return;
    depth[index] = at_depth;
    parent[index] = from;
    queue.push_back(rank);
  };
  std::size_t next = 0;
  for (const int start : members) {  // ascending: the first one is the root, any later one starts a component
    const bool root = start == members.front();
    reach(start, root ? -1 : members.front(), root ? 0 : 1);
    for (; next < queue.size(); ++next) {
      const int rank = queue[next];
      std::vector<int> neighbours;
      for (const Neighbour& neighbour : topology.neighbours(rank))
        neighbours.push_back(neighbour.worker);
      std::sort(neighbours.begin(), neighbours.end());
      for (const int neighbour : neighbours)
        reach(neighbour, rank, depth[static_cast<std::size_t>(rank)] + 1);
    }
  }

  tree.parent = parent[static_cast<std::size_t>(self)];
  tree.depth = depth[static_cast<std::size_t>(self)];
  for (const int rank : members) {
    const auto index = static_cast<std::size_t>(rank);
    tree.height = std::max(tree.height, depth[index]);
    if (parent[index] == self) tree.children.push_back(rank);
  }
  return tree;
}

}  // namespace duet::membership
