#pragma once

#include <QWidget>
#include <optional>
#include <utility>

#include "dashboard/graph/graph_painter.h"
#include "dashboard/graph/graph_scene.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// The graph with mouse and keys. Click = attention to that worker; wheel = zoom, Ctrl-drag or middle-drag =
/// pan, double-click = all of it; a click on an edge marks it. Delete, or the context menu, asks to take a
/// worker or an edge out (what-if). Keys: Left and Right go from worker to worker, Up and Down from edge to
/// edge of that worker, + and − zoom, 0 shows all, Escape gives the attention up.
class GraphWidget : public QWidget {
  Q_OBJECT

 public:
  explicit GraphWidget(const Theme& theme, QWidget* parent = nullptr);

  void set_theme(const Theme& theme);
  void set_scene(GraphScene scene);
  const GraphScene& scene() const { return scene_; }
  /// Marks an edge, as a click does; none: std::nullopt.
  void pick_edge(std::optional<std::pair<int, int>> ends);
  const GraphCamera& camera() const { return camera_; }
  QPointF screen_place(int rank) const;
  void render_to(QPainter& painter, const QRectF& rect) const;

  QSize sizeHint() const override { return {420, 360}; }
  QSize minimumSizeHint() const override { return {160, 140}; }

 Q_SIGNALS:
  /// −1: nobody.
  void worker_picked(int rank);
  /// Take out, or put back where it was taken out.
  void worker_removal_asked(int rank);
  void edge_removal_asked(int a, int b);
  void removal_reset_asked();

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;

 private:
  void zoom_at(QPointF screen, double factor);
  void step_edge(int direction);

  Theme theme_;
  GraphScene scene_;
  GraphCamera camera_;
  std::optional<QPointF> pan_from_;
  std::optional<QPointF> pressed_;
  std::optional<std::pair<int, int>> picked_edge_;
};

}  // namespace duet::dashboard
