#pragma once

#include "dashboard/data/what_if.h"
#include "dashboard/graph/graph_scene.h"
#include "dashboard/graph/matrix_painter.h"
#include "duet/observer/snapshot.h"

namespace duet::dashboard {

/// Makes the scene of the graph view from snapshots; keeps the places of nodes in between.
class GraphViewModel {
 public:
  /// `shape_changed`: nodes or edges came or went.
  void apply(const observer::Snapshot& snapshot, bool shape_changed, const WhatIf& what);
  void set_focus(std::optional<int> rank) { scene_.focused = rank; }
  const GraphScene& scene() const { return scene_; }
  void clear();

  /// A meeting glows for this long.
  static constexpr double kPulse = 0.9;

 private:
  void lay_out(const observer::Snapshot& snapshot);

  GraphScene scene_;
  std::string description_;
  std::size_t edges_laid_out_ = 0;
  double tips_at_ = 0.0;
};

/// Meetings per second of each pair of neighbours.
MatrixContent pairing_matrix(const observer::Snapshot& snapshot);

}  // namespace duet::dashboard
