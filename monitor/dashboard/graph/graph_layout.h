#pragma once

#include <QPointF>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace duet::dashboard {

/// What a layout depends on.
struct GraphShape {
  int workers = 0;
  std::string
      description;  ///< as Topology::make() takes it: "ring", "torus:4x8"; others are laid out by their edges
  std::vector<std::pair<int, int>> edges;
};

/// A place for every worker within the unit square. Pure: the same shape, the same places.
///
/// Graphs with a well-known form get that form, from the rank alone: a node keeps its place whoever comes and
/// goes. Any other is relaxed by forces from a seeded start; workers of `before`, the places of the last
/// call, stay where they are and only newcomers move.
std::vector<QPointF> layout_graph(const GraphShape& shape, const std::vector<QPointF>& before = {},
                                  std::uint64_t seed = 1);

}  // namespace duet::dashboard
