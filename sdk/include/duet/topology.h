#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "duet/export.h"

namespace duet {

/// An undirected edge {a, b} with its target rate λ_ab: meetings of these two per unit of time (one gradient step).
struct Edge {
  int a = 0;
  int b = 0;
  double rate = 1.0;
  bool operator==(const Edge&) const = default;
};

struct Neighbour {
  int worker = 0;
  double rate = 0.0;
};

/// Constants of A²CiD² on one graph (paper, section 3; docs/concepts.md).
struct Constants {
  double chi1 = 0.0;         ///< χ₁ = 1 / λ₂(L): inverse algebraic connectivity
  double chi2 = 0.0;         ///< χ₂ = max over edges of ½ (e_i − e_j)ᵀ L⁺ (e_i − e_j): worst effective resistance / 2
  double eta = 0.0;          ///< η = 1 / (2 √(χ₁ χ₂))
  double alpha = 0.5;        ///< α
  double alpha_tilde = 0.5;  ///< α̃ = ½ √(χ₁ / χ₂)
  /// False where momentum has nothing to accelerate (complete graph: χ₁ = χ₂).
  bool accelerates = false;
};

/// A connected, weighted, undirected graph of workers 0 … workers()−1. A value; immutable; thread-safe to read.
class DUET_API Topology {
 public:
  /// From edges with rates of their own. Throws ConfigurationError that names the edge: a self-loop, a rate ≤ 0 or
  /// not finite, an index out of range, the same edge twice, or a graph that is not connected (names a worker that
  /// 0 does not reach). workers ≥ 1; one worker has no edges.
  static Topology from_edges(int workers, std::vector<Edge> edges, std::string name = "custom");

  /// From edges without rates: λ_ij = rate / max(deg i, deg j), so that no worker exceeds its budget `rate`, in
  /// meetings per gradient step (docs/concepts.md). On regular graphs every λ_i = rate. Rates in `edges` are ignored.
  static Topology with_budget(int workers, std::vector<Edge> edges, double rate, std::string name = "custom");

  /// From a description: ring, complete, exponential, exponential-paper, star, path, torus[:RxC], hypercube,
  /// random-regular:d[:seed], file:PATH (a line `i j [rate]` per edge, # comments; rates, where given, are taken
  /// times `rate`). Throws ConfigurationError.
  static Topology make(std::string_view description, int workers, double rate = 1.0);

  int workers() const { return workers_; }
  const std::string& name() const { return name_; }
  const std::vector<Edge>& edges() const { return edges_; }  ///< a < b, sorted
  const std::vector<Neighbour>& neighbours(int worker) const { return adjacency_.at(static_cast<std::size_t>(worker)); }
  /// λ_i = Σ_j λ_ij, meetings per gradient step.
  double rate_of(int worker) const;

  /// χ₁, χ₂, η, α̃. Closed forms at any size for the named graphs with uniform rates, dense linear algebra (float64)
  /// for any other up to 2,000 workers; ConfigurationError beyond. Not cached: O(n³) for dense graphs.
  Constants constants() const;
  /// The same, always by dense linear algebra. For tests and comparisons.
  Constants dense_constants() const;

 private:
  Topology() = default;

  int workers_ = 1;
  std::string name_;
  std::vector<Edge> edges_;
  std::vector<std::vector<Neighbour>> adjacency_;
  std::optional<Constants> closed_form_;
};

}  // namespace duet
