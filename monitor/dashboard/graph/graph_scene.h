#pragma once

#include <QPointF>
#include <QString>
#include <optional>
#include <utility>
#include <vector>

#include "duet/observer/snapshot.h"

namespace duet::dashboard {

struct GraphNode {
  QPointF place = {};  ///< in the unit square
  observer::WorkerState state = observer::WorkerState::kExpected;
  bool finite = true;
  bool removed = false;  ///< in the what-if
  QString tip = {};
};

struct GraphEdge {
  int a = 0;
  int b = 0;
  double rate = 0.0;                         ///< meetings per second
  std::optional<double> age = std::nullopt;  ///< seconds since the last meeting
  double pulse = 0.0;                        ///< 1: they meet just now … 0: that is over
  bool in_graph = true;
  bool removed = false;  ///< in the what-if
  QString tip = {};
};

/// What the graph view shows. Node k is rank k.
struct GraphScene {
  std::vector<GraphNode> nodes;
  std::vector<GraphEdge> edges;
  double largest_rate = 0.0;  ///< drawn widest
  double old_age = 10.0;      ///< seconds; older is drawn like this
  std::optional<int> focused;
  std::optional<std::pair<int, int>> picked_edge;  ///< as GraphEdge has its ends
  QString empty_text;
};

}  // namespace duet::dashboard
