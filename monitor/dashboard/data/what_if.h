#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "duet/observer/snapshot.h"
#include "duet/topology.h"

namespace duet::dashboard {

/// What somebody took out of the graph, to see what would become of it. Edges have the lower rank first.
struct WhatIf {
  std::set<int> workers;
  std::set<std::pair<int, int>> edges;
  bool empty() const { return workers.empty() && edges.empty(); }
  void toggle_worker(int rank);
  void toggle_edge(int a, int b);
};

/// The part of a snapshot that a prediction needs; a value, for another thread.
struct GraphOfRun {
  std::string description;
  std::string algorithm;
  double rate = 1.0;
  int world_size = 0;
  std::vector<int> members;           ///< that are live
  std::vector<observer::Edge> edges;  ///< of the graph as it is
  static GraphOfRun of(const observer::Snapshot& snapshot);
};

struct Prediction {
  int workers = 0;
  int components = 0;
  std::vector<int> cut_off;  ///< the smallest part, where there are several
  /// Where the graph hangs together; else χ₁ is infinite: nothing mixes.
  Constants constants;
  /// Steps in which the squared consensus distance falls by e when nobody trains: √(χ₁ χ₂) for A²CiD², χ₁
  /// without momentum.
  double mixing_steps = 0.0;
  std::string problem;  ///< not empty: there is no prediction, and why
  bool known() const { return problem.empty(); }
  bool connected() const { return components <= 1; }
};

/// As the run would do it: without a worker, the run's own policy repairs the graph among those left (a ring
/// closes over the gap); edges that were taken out stay out. Pure; O(workers³) where the graph has no
/// formula.
Prediction predict(const GraphOfRun& run, const WhatIf& what);

/// Beyond this many workers there is no prediction: it would take minutes.
constexpr int kMostPredicted = 1024;

}  // namespace duet::dashboard
