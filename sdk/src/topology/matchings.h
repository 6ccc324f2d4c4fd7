#pragma once

#include <vector>

#include "duet/topology.h"

namespace duet::topology {

/// In which order `worker` exchanges with its neighbours when everyone does so with all of its own, one at a
/// time: the graph's edges are cut into matchings (greedily, in the edges' order), and everybody goes through
/// the matchings in the same order. So nobody waits in a circle, and on a ring of even length all are busy
/// all the time. The same on all workers. Throws as Topology::edges() does.
std::vector<int> matching_order(const Topology& topology, int worker);

}  // namespace duet::topology
