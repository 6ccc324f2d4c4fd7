#pragma once

#include <vector>

#include "duet/topology.h"

/// Constants of graphs whose spectrum is known by formula. All want at least two workers; `weight` is the
/// rate λ of each edge. Every one of them is checked against dense linear algebra in the tests.
namespace duet::topology {

/// η and α̃ from the two of them.
Constants make_constants(double chi1, double chi2);

Constants ring_constants(int workers, double weight);
Constants path_constants(int workers, double weight);
Constants star_constants(int workers, double weight);
Constants complete_constants(int workers, double weight);
Constants hypercube_constants(int dimensions, double weight);
/// O(rows · columns): sums over the modes.
Constants torus_constants(int rows, int columns, double weight);

/// Edges {i, i + offset mod n} for all i. 1 ≤ offset ≤ n/2; at n/2 each edge is there once.
struct Offset {
  int offset = 1;
  double weight = 1.0;
};
/// Offsets distinct, 1 among them. O(n · offsets).
Constants circulant_constants(int workers, const std::vector<Offset>& offsets);

}  // namespace duet::topology
