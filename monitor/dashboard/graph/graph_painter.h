#pragma once

#include <QFont>
#include <QPainter>
#include <QRectF>
#include <optional>

#include "dashboard/graph/graph_scene.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// Which part of the unit square is seen: zoom and pan.
struct GraphCamera {
  double zoom = 1.0;
  QPointF centre{0.5, 0.5};
  bool operator==(const GraphCamera&) const = default;
};

/// Draws the living graph: node = worker in its colour, with a sign where its state is not "running"; edge
/// width = rate, colour = age of the last meeting, dashes = old, a glow = they meet. Pure.
class GraphPainter {
 public:
  GraphPainter(const Theme& theme, const QFont& font);

  void paint(QPainter& painter, const QRectF& rect, const GraphScene& scene, const GraphCamera& camera) const;

  /// Where a place of the unit square is on the screen.
  QPointF to_screen(const QRectF& rect, const GraphCamera& camera, QPointF place) const;
  QPointF to_place(const QRectF& rect, const GraphCamera& camera, QPointF screen) const;
  double node_radius(const QRectF& rect, const GraphCamera& camera, std::size_t nodes) const;

  std::optional<int> node_at(const QRectF& rect, const GraphScene& scene, const GraphCamera& camera,
                             QPointF at) const;
  /// Index into scene.edges.
  std::optional<std::size_t> edge_at(const QRectF& rect, const GraphScene& scene, const GraphCamera& camera,
                                     QPointF at) const;

 private:
  QRectF drawing(const QRectF& rect) const;
  void paint_edge(QPainter& painter, const QRectF& rect, const GraphScene& scene, const GraphCamera& camera,
                  const GraphEdge& edge) const;
  void paint_node(QPainter& painter, const QPointF& at, double radius, int rank, const GraphNode& node,
                  bool focused) const;
  void paint_key(QPainter& painter, const QRectF& rect, const GraphScene& scene) const;
  double edge_width(const GraphScene& scene, const GraphEdge& edge) const;

  const Theme& theme_;
  QFont font_;
};

}  // namespace duet::dashboard
