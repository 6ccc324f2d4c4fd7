#include "topology/matchings.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace duet::topology {

std::vector<int> matching_order(const Topology& topology, int worker) {
  // By worker: which matchings it is in already.
  std::vector<std::vector<bool>> taken(static_cast<std::size_t>(topology.workers()));
  std::vector<std::pair<std::size_t, int>> own;
  for (const Edge& edge : topology.edges()) {
    auto& a = taken[static_cast<std::size_t>(edge.a)];
    auto& b = taken[static_cast<std::size_t>(edge.b)];
    std::size_t matching = 0;
    while ((matching < a.size() && a[matching]) || (matching < b.size() && b[matching]))
      ++matching;
    for (auto* const side : {&a, &b}) {
      if (side->size() <= matching) side->resize(matching + 1);
      (*side)[matching] = true;
    }
    if (edge.a == worker) own.emplace_back(matching, edge.b);
    if (edge.b == worker) own.emplace_back(matching, edge.a);
  }
  std::sort(own.begin(), own.end());
  std::vector<int> order;
  for (const auto& [matching, neighbour] : own)
    order.push_back(neighbour);
  return order;
}

}  // namespace duet::topology
