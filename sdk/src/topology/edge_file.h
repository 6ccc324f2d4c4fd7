#pragma once

#include <istream>
#include <string>
#include <vector>

#include "duet/topology.h"

namespace duet::topology {

struct EdgeFile {
  std::vector<Edge> edges;
  bool has_rates = false;
};

/// A line `i j [rate]` per edge; `#` starts a comment. Throws ConfigurationError that names file and line:
/// no edges, not two workers, out of range, a self-loop, a wrong rate, an edge that was there before, a rate
/// on some lines only.
EdgeFile read_edge_file(std::istream& input, const std::string& path, int workers);

}  // namespace duet::topology
