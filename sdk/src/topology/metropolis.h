#pragma once

#include <algorithm>
#include <cstddef>

namespace duet::topology {

/// Metropolis weight of an edge between workers of these degrees, for synchronous gossip: x_i − Σ_j w_ij·(x_i
/// − x_j) is then an average for every worker and keeps the mean, whatever the graph, and each end can
/// compute it.
inline double metropolis_weight(std::size_t degree, std::size_t other) {
  return 1.0 / (1.0 + static_cast<double>(std::max(degree, other)));
}

}  // namespace duet::topology
