#pragma once

#include <vector>

#include "duet/topology.h"

namespace duet::topology {

/// Above this many workers O(n³) takes minutes.
inline constexpr int kDenseLimit = 2000;

/// χ₁ and χ₂ as they are defined, from the pseudo-inverse of the Laplacian. The graph must be connected and
/// have at least two workers.
Constants dense_constants(int workers, const std::vector<Edge>& edges);

}  // namespace duet::topology
