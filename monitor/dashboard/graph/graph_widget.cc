#include "dashboard/graph/graph_widget.h"

#include <QContextMenuEvent>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>
#include <utility>

namespace duet::dashboard {

namespace {
constexpr double kClosest = 40.0;
constexpr double kWheelZoom = 1.25;
}  // namespace

GraphWidget::GraphWidget(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAttribute(Qt::WA_OpaquePaintEvent);
  setAccessibleName(tr("Graph of the workers"));
}

void GraphWidget::set_theme(const Theme& theme) {
  theme_ = theme;
  update();
}

void GraphWidget::set_scene(GraphScene scene) {
  scene_ = std::move(scene);
  if (scene_.nodes.empty()) picked_edge_.reset();
  scene_.picked_edge = picked_edge_;
  update();
}

void GraphWidget::pick_edge(std::optional<std::pair<int, int>> ends) {
  if (ends == picked_edge_) return;
  scene_.picked_edge = picked_edge_ = ends;
  update();
}

QPointF GraphWidget::screen_place(int rank) const {
  return GraphPainter(theme_, font())
      .to_screen(rect(), camera_, scene_.nodes.at(static_cast<std::size_t>(rank)).place);
}

void GraphWidget::render_to(QPainter& painter, const QRectF& rect) const {
  GraphPainter(theme_, font()).paint(painter, rect, scene_, camera_);
}

void GraphWidget::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  render_to(painter, rect());
  if (hasFocus()) {
    painter.setPen(QPen(theme_.accent, 1));
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
  }
}

bool GraphWidget::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const GraphPainter painter(theme_, font());
  QString tip;
  if (const auto rank = painter.node_at(rect(), scene_, camera_, help->pos())) {
    tip = scene_.nodes[static_cast<std::size_t>(*rank)].tip;
  } else if (const auto edge = painter.edge_at(rect(), scene_, camera_, help->pos())) {
    tip = scene_.edges[*edge].tip;
  }
  if (tip.isEmpty()) {
    QToolTip::hideText();
  } else {
    QToolTip::showText(help->globalPos(), tip, this);
  }
  return true;
}

void GraphWidget::mousePressEvent(QMouseEvent* event) {
  const bool pans = event->button() == Qt::MiddleButton ||
                    (event->button() == Qt::LeftButton && event->modifiers() & Qt::ControlModifier);
  if (pans) {
    pan_from_ = event->position();
  } else if (event->button() == Qt::LeftButton) {
    pressed_ = event->position();
  }
}

void GraphWidget::mouseMoveEvent(QMouseEvent* event) {
  if (!pan_from_) return;
  const GraphPainter painter(theme_, font());
  camera_.centre +=
      painter.to_place(rect(), camera_, *pan_from_) - painter.to_place(rect(), camera_, event->position());
  camera_.centre = {std::clamp(camera_.centre.x(), -0.5, 1.5), std::clamp(camera_.centre.y(), -0.5, 1.5)};
  pan_from_ = event->position();
  update();
}

void GraphWidget::mouseReleaseEvent(QMouseEvent* event) {
  pan_from_.reset();
  if (!pressed_) return;
  const bool clicked = (event->position() - *pressed_).manhattanLength() < 6;
  pressed_.reset();
  if (!clicked) return;
  const GraphPainter painter(theme_, font());
  pick_edge(std::nullopt);
  if (const auto rank = painter.node_at(rect(), scene_, camera_, event->position())) {
    Q_EMIT worker_picked(*rank);
    return;
  }
  if (const auto edge = painter.edge_at(rect(), scene_, camera_, event->position())) {
    return pick_edge(std::pair(scene_.edges[*edge].a, scene_.edges[*edge].b));
  }
  Q_EMIT worker_picked(-1);
}

void GraphWidget::mouseDoubleClickEvent(QMouseEvent*) {
  pressed_.reset();
  camera_ = {};
  update();
}

void GraphWidget::zoom_at(QPointF screen, double factor) {
  const GraphPainter painter(theme_, font());
  const QPointF before = painter.to_place(rect(), camera_, screen);
  camera_.zoom = std::clamp(camera_.zoom * factor, 1.0, kClosest);
  if (camera_.zoom == 1.0) {
    camera_.centre = {0.5, 0.5};
  } else {
    camera_.centre += before - painter.to_place(rect(), camera_, screen);
  }
  update();
}

void GraphWidget::wheelEvent(QWheelEvent* event) {
  const double notches = event->angleDelta().y() / 120.0;
  if (notches == 0) return event->ignore();
  zoom_at(event->position(), std::pow(kWheelZoom, std::clamp(notches, -10.0, 10.0)));
  event->accept();
}

void GraphWidget::step_edge(int direction) {
  std::vector<std::pair<int, int>> edges;
  for (const GraphEdge& edge : scene_.edges) {
    const bool near = !scene_.focused || edge.a == *scene_.focused || edge.b == *scene_.focused;
    if (edge.in_graph && near) edges.emplace_back(edge.a, edge.b);
  }
  if (edges.empty()) return;
  const auto count = static_cast<std::ptrdiff_t>(edges.size());
  std::ptrdiff_t at = direction > 0 ? -1 : count;
  if (picked_edge_) {
    const auto found = std::find(edges.begin(), edges.end(), *picked_edge_);
    if (found != edges.end()) at = found - edges.begin();
  }
  pick_edge(edges[static_cast<std::size_t>((at + direction + count) % count)]);
}

void GraphWidget::keyPressEvent(QKeyEvent* event) {
  const auto nodes = static_cast<int>(scene_.nodes.size());
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right: {
      if (nodes == 0) return;
      const int step = event->key() == Qt::Key_Right ? 1 : -1;
      pick_edge(std::nullopt);
      const int from = scene_.focused ? *scene_.focused : (step > 0 ? -1 : 0);
      Q_EMIT worker_picked((from + step + nodes) % nodes);
      return;
    }
    case Qt::Key_Up:
      return step_edge(-1);
    case Qt::Key_Down:
      return step_edge(1);
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      return zoom_at(QRectF(rect()).center(), kWheelZoom);
    case Qt::Key_Minus:
      return zoom_at(QRectF(rect()).center(), 1 / kWheelZoom);
    case Qt::Key_0:
      camera_ = {};
      return update();
    case Qt::Key_Delete:
      if (picked_edge_) {
        Q_EMIT edge_removal_asked(picked_edge_->first, picked_edge_->second);
      } else if (scene_.focused) {
        Q_EMIT worker_removal_asked(*scene_.focused);
      }
      return;
    case Qt::Key_Escape:
      if (picked_edge_) return pick_edge(std::nullopt);
      if (scene_.focused) {
        Q_EMIT worker_picked(-1);
        return;
      }
      [[fallthrough]];
    default:
      QWidget::keyPressEvent(event);
  }
}

void GraphWidget::contextMenuEvent(QContextMenuEvent* event) {
  const GraphPainter painter(theme_, font());
  // By keyboard: about the edge that is marked, or whoever has the attention.
  const bool by_mouse = event->reason() == QContextMenuEvent::Mouse;
  std::optional<int> rank;
  const GraphEdge* edge = nullptr;
  if (by_mouse) {
    rank = painter.node_at(rect(), scene_, camera_, event->pos());
    if (const auto index = painter.edge_at(rect(), scene_, camera_, event->pos()))
      edge = &scene_.edges[*index];
  } else if (picked_edge_) {
    const auto found = std::find_if(scene_.edges.begin(), scene_.edges.end(), [this](const GraphEdge& one) {
      return std::pair(one.a, one.b) == *picked_edge_;
    });
    if (found != scene_.edges.end()) edge = &*found;
  } else if (scene_.focused && *scene_.focused < static_cast<int>(scene_.nodes.size())) {
    rank = scene_.focused;
  }
  auto* menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  if (rank) {
    const int who = *rank;
    const bool removed = scene_.nodes[static_cast<std::size_t>(who)].removed;
    menu->addAction(
        removed ? tr("What if: put worker %1 back").arg(who) : tr("What if: without worker %1").arg(who),
        this, [this, who] { Q_EMIT worker_removal_asked(who); });
  } else if (edge != nullptr) {
    const int a = edge->a;
    const int b = edge->b;
    menu->addAction(edge->removed ? tr("What if: put edge %1 – %2 back").arg(a).arg(b)
                                  : tr("What if: without edge %1 – %2").arg(a).arg(b),
                    this, [this, a, b] { Q_EMIT edge_removal_asked(a, b); });
  }
  menu->addAction(tr("What if: the graph as it is"), this, [this] { Q_EMIT removal_reset_asked(); });
  menu->popup(event->globalPos());
}

}  // namespace duet::dashboard
