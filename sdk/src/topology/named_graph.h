#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "duet/topology.h"

namespace duet::topology {

/// A graph that is known by formula: it need not be listed to say how many edges it has and how well it
/// mixes.
struct NamedGraph {
  std::uint64_t edge_count = 0;
  std::function<std::vector<Edge>()> edges;  ///< a < b, sorted, with rates
  std::function<Constants()> constants;
};

/// ring, path, star, complete, torus[:RxC], hypercube, exponential, exponential-paper; nothing for other
/// names. workers ≥ 1, rate > 0. Throws ConfigurationError where that many workers do not make that graph.
std::optional<NamedGraph> named_graph(std::string_view description, int workers, double rate);

}  // namespace duet::topology
