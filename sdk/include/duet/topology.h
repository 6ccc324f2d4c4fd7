#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "duet/export.h"

namespace duet {

/// An undirected edge {a, b} with its target rate λ_ab: meetings of these two per unit of time (one gradient
/// step).
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
  double chi1 = 0.0;  ///< χ₁ = 1 / λ₂(L): inverse algebraic connectivity
  double chi2 =
      0.0;  ///< χ₂ = max over edges of ½ (e_i − e_j)ᵀ L⁺ (e_i − e_j): worst effective resistance / 2
  double eta = 0.0;          ///< η = 1 / (2 √(χ₁ χ₂))
  double alpha = 0.5;        ///< α
  double alpha_tilde = 0.5;  ///< α̃ = ½ √(χ₁ / χ₂)
  /// False where momentum has nothing to accelerate (complete graph: χ₁ = χ₂).
  bool accelerates = false;
};

/// A connected, weighted, undirected graph of workers 0 … workers()−1. A value, immutable, cheap to copy;
/// thread-safe. Graphs that have a formula (ring, path, star, complete, torus, hypercube, exponential) are
/// listed only when somebody asks for edges or neighbours, so their constants are to be had at any size.
class DUET_API Topology {
 public:
  /// From edges with rates of their own. Throws ConfigurationError that names the edge: a self-loop, a rate ≤
  /// 0 or not finite, an index out of range, the same edge twice, or a graph that is not connected (names a
  /// worker that 0 does not reach). workers ≥ 1; one worker has no edges.
  static Topology from_edges(int workers, std::vector<Edge> edges, std::string name = "custom");

  /// From edges without rates: λ_ij = rate / max(deg i, deg j), so that no worker exceeds its budget `rate`,
  /// in meetings per gradient step (docs/concepts.md). On regular graphs every λ_i = rate. Rates in `edges`
  /// are ignored.
  static Topology with_budget(int workers, std::vector<Edge> edges, double rate, std::string name = "custom");

  /// From a description. Throws ConfigurationError. One worker alone is a graph without edges, whatever the
  /// name.
  /// - ring, path, complete
  /// - star: worker 0 and each other one
  /// - torus[:RxC]: rows and columns that close on themselves; without sides: the squarest. A side of 2 has
  ///   one edge across, not two; a side of 1 (a prime number of workers) is refused
  /// - hypercube: powers of 2 only
  /// - exponential: offsets ±2^k with 2^k < workers, each edge once
  /// - exponential-paper: with the antipode's rate doubled, as in the authors' code; powers of 2 only
  /// - random-regular:d[:seed]: d neighbours each; for the same seed (0) the same graph everywhere
  /// - file:PATH: a line `i j [rate]` per edge, # comments. Either all lines have a rate, which is taken
  ///   times `rate`, or none has, and the edges share the budget `rate`
  static Topology make(std::string_view description, int workers, double rate = 1.0);
  /// The descriptions that make() takes, as in its table; for help texts.
  static const std::vector<std::string>& known();

  Topology(const Topology&) = default;  // no moves: there is no empty state to leave behind
  Topology& operator=(const Topology&) = default;
  ~Topology() = default;

  int workers() const;
  const std::string& name() const;
  std::uint64_t edge_count() const;
  /// a < b, sorted. Throws ConfigurationError where there are too many to list (edge_count() > 2^27).
  const std::vector<Edge>& edges() const;
  /// Sorted. Throws as edges() does, and std::out_of_range for a worker that is not there.
  const std::vector<Neighbour>& neighbours(int worker) const;
  /// λ_i = Σ_j λ_ij, meetings per gradient step.
  double rate_of(int worker) const;

  /// χ₁, χ₂, η, α̃. Closed forms at any size for the graphs that have one, dense linear algebra (float64) for
  /// any other up to 2,000 workers; ConfigurationError beyond. Not cached: O(n³) when dense. One worker
  /// alone: χ₁ = χ₂ = η = 0, α̃ = ½.
  Constants constants() const;
  /// The same, always by dense linear algebra. For tests and comparisons.
  Constants dense_constants() const;
  /// Whether constants() has a formula to go by, and costs next to nothing.
  bool has_closed_form() const;

 private:
  class State;
  explicit Topology(std::shared_ptr<const State> state);

  std::shared_ptr<const State> state_;
};

/// Which graph the workers meet on, for those of them that are present: at the start all of the run, later
/// whoever is left when workers were lost or left early. An embedder's own kind: derive from it and set
/// Options::topology_policy (samples/topology).
///
/// Every worker asks its own copy, so graph() must be a pure function: the same members, the same graph,
/// everywhere. It is called by the thread that makes the Worker and then by its communication thread, and
/// should take no longer than some milliseconds.
class DUET_API TopologyPolicy {
 public:
  virtual ~TopologyPolicy();
  /// members: ranks, ascending, at least two. Returns a graph of members.size() workers, whose worker k is
  /// members[k]. What it throws ends the Worker's constructor; later it is logged, and the workers go on with
  /// the neighbours that they have.
  virtual Topology graph(const std::vector<int>& members) const = 0;
};

/// The policy behind Options::graph: the same kind of graph made anew for those present, so that a ring
/// closes over a gap. Where so few do not make that graph (a hypercube that lost one), and for a graph from a
/// file: as fixed_policy() does it. Throws ConfigurationError as Topology::make() does.
DUET_API std::shared_ptr<const TopologyPolicy> named_policy(std::string_view description, int workers,
                                                            double rate = 1.0);
/// Of a graph by value: its edges among those present, with their rates; where they do not hang together any
/// more, the lowest of each part is tied to the lowest of all by an edge of the graph's smallest rate.
DUET_API std::shared_ptr<const TopologyPolicy> fixed_policy(const Topology& graph);

}  // namespace duet
