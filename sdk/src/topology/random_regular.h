#pragma once

#include <cstdint>
#include <vector>

#include "duet/topology.h"

namespace duet::topology {

/// A connected simple graph where everyone has `degree` neighbours, drawn by random edge switches from a
/// circulant one. The same seed gives the same graph on every machine. Edges a < b, sorted, rates 1. 1 ≤
/// degree < workers, workers · degree even, and degree ≥ 2 unless there are just two workers.
std::vector<Edge> random_regular(int workers, int degree, std::uint64_t seed);

}  // namespace duet::topology
