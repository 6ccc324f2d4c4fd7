#pragma once

#include <string>
#include <vector>

#include "duet/topology.h"

/// What makes a list of edges a graph that can train. `name` is the graph's, for messages.
namespace duet::topology {

/// Throws ConfigurationError unless workers ≥ 1.
void require_workers(const std::string& name, int workers);
/// Beyond these the constants overflow, and nobody means it.
inline constexpr double kLeastRate = 1e-6, kMostRate = 1e6;
/// Throws ConfigurationError unless the rate is from kLeastRate to kMostRate.
void require_rate(const std::string& name, double rate);
/// Puts every edge's lower end first and sorts. Throws ConfigurationError that names the edge: out of range,
/// a self-loop, a wrong rate, twice there.
void normalise(const std::string& name, int workers, std::vector<Edge>& edges);
/// Throws ConfigurationError that names a worker which 0 does not reach.
void require_connected(const std::string& name, int workers, const std::vector<Edge>& edges);
/// λ_ij = rate / max(deg i, deg j).
void share_budget(int workers, double rate, std::vector<Edge>& edges);

/// Which workers hang together, while edges come in one by one.
class Components {
 public:
  explicit Components(int workers);
  int root(int worker);
  /// False: they already did.
  bool join(int a, int b);

 private:
  std::vector<int> parent_;
};

}  // namespace duet::topology
