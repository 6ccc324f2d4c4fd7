#include "dashboard/graph/graph_painter.h"

#include <QLinearGradient>
#include <algorithm>
#include <cmath>
#include <limits>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

namespace {

using observer::WorkerState;

constexpr double kPadding = 18.0;
constexpr double kBordered = 4.0;  ///< px of radius; of a smaller node a border would leave nothing
constexpr std::size_t kSmoothEdges = 2000;
/// Qt wakes its thread pool for what is wide, smooth and not opaque, which costs more than it draws.
constexpr std::size_t kSmoothGlows = 40;
constexpr double kReach = 6.0;  ///< px from an edge that still hits it

QFont sized(QFont font, double pixels) {
  font.setPixelSize(std::max(1, qRound(pixels)));
  return font;
}

double distance_to_segment(QPointF at, QPointF a, QPointF b) {
  const QPointF along = b - a;
  const double square = QPointF::dotProduct(along, along);
  const double share = square > 0 ? std::clamp(QPointF::dotProduct(at - a, along) / square, 0.0, 1.0) : 0.0;
  const QPointF away = at - (a + along * share);
  return std::hypot(away.x(), away.y());
}

}  // namespace

GraphPainter::GraphPainter(const Theme& theme, const QFont& font) : theme_(theme), font_(font) {}

QRectF GraphPainter::drawing(const QRectF& rect) const {
  const double key = QFontMetricsF(font_).height() + 8;
  return rect.adjusted(kPadding, kPadding, -kPadding, -kPadding - key);
}

QPointF GraphPainter::to_screen(const QRectF& rect, const GraphCamera& camera, QPointF place) const {
  const QRectF inner = drawing(rect);
  const double side = std::max(1.0, std::min(inner.width(), inner.height())) * camera.zoom;
  // A graph in a wide dock may be stretched a little: rings stay rings, and the room is used.
  const double stretch = std::clamp(inner.width() / std::max(1.0, inner.height()), 1.0, 1.6);
  return inner.center() +
         QPointF((place.x() - camera.centre.x()) * side * stretch, (place.y() - camera.centre.y()) * side);
}

QPointF GraphPainter::to_place(const QRectF& rect, const GraphCamera& camera, QPointF screen) const {
  const QRectF inner = drawing(rect);
  const double side = std::max(1.0, std::min(inner.width(), inner.height())) * camera.zoom;
  const double stretch = std::clamp(inner.width() / std::max(1.0, inner.height()), 1.0, 1.6);
  const QPointF off = screen - inner.center();
  return camera.centre + QPointF(off.x() / side / stretch, off.y() / side);
}

double GraphPainter::node_radius(const QRectF& rect, const GraphCamera& camera, std::size_t nodes) const {
  const QRectF inner = drawing(rect);
  const double side = std::min(inner.width(), inner.height()) * camera.zoom;
  return std::clamp(side * 1.1 / static_cast<double>(std::max<std::size_t>(nodes, 1)), 2.5, 13.0);
}

double GraphPainter::edge_width(const GraphScene& scene, const GraphEdge& edge) const {
  const double most = scene.edges.size() > 400 ? 2.5 : scene.edges.size() > 100 ? 4.0 : 6.5;
  const double share = scene.largest_rate > 0 ? std::clamp(edge.rate / scene.largest_rate, 0.0, 1.0) : 0.0;
  return 0.8 + (most - 0.8) * share;
}

void GraphPainter::paint(QPainter& painter, const QRectF& rect, const GraphScene& scene,
                         const GraphCamera& camera) const {
  painter.save();
  painter.setClipRect(rect);
  painter.fillRect(rect, theme_.surface);
  painter.setFont(font_);
  if (scene.nodes.empty()) {
    painter.setPen(theme_.muted);
    painter.drawText(rect, Qt::AlignCenter | Qt::TextWordWrap, scene.empty_text);
    painter.restore();
    return;
  }
  painter.setRenderHint(QPainter::Antialiasing, scene.edges.size() <= kSmoothEdges);
  // Those that left the graph first, what is fresh above.
  for (const bool in_graph : {false, true}) {
    for (const GraphEdge& edge : scene.edges) {
      if (edge.in_graph == in_graph) paint_edge(painter, rect, scene, camera, edge);
    }
  }
  painter.setRenderHint(QPainter::Antialiasing, true);
  const double radius = node_radius(rect, camera, scene.nodes.size());
  for (std::size_t k = 0; k < scene.nodes.size(); ++k) {
    const int rank = static_cast<int>(k);
    paint_node(painter, to_screen(rect, camera, scene.nodes[k].place), radius, rank, scene.nodes[k],
               scene.focused == rank);
  }
  paint_key(painter, rect, scene);
  painter.restore();
}

void GraphPainter::paint_edge(QPainter& painter, const QRectF& rect, const GraphScene& scene,
                              const GraphCamera& camera, const GraphEdge& edge) const {
  const auto nodes = static_cast<int>(scene.nodes.size());
  if (edge.a < 0 || edge.b < 0 || edge.a >= nodes || edge.b >= nodes) return;
  const QPointF a = to_screen(rect, camera, scene.nodes[edge.a].place);
  const QPointF b = to_screen(rect, camera, scene.nodes[edge.b].place);
  if (scene.picked_edge == std::pair(edge.a, edge.b)) {
    QColor halo = theme_.accent;
    halo.setAlphaF(0.55F);
    painter.setPen(QPen(halo, edge_width(scene, edge) + 6, Qt::SolidLine, Qt::RoundCap));
    painter.drawLine(a, b);
  }
  const bool removed = edge.removed || scene.nodes[edge.a].removed || scene.nodes[edge.b].removed;
  // An edge that the graph no longer has stays as a trace.
  if (!edge.in_graph || removed) {
    painter.setPen(QPen(removed ? theme_.tone(Tone::kBad) : theme_.grid, removed ? 1.4 : 1.0, Qt::DotLine));
    painter.drawLine(a, b);
    return;
  }
  const double age = edge.age ? *edge.age / scene.old_age : 1.0;
  const double width = edge_width(scene, edge);
  if (edge.pulse > 0 && scene.edges.size() <= kSmoothEdges) {
    QColor glow = theme_.age(0.0);
    glow.setAlphaF(static_cast<float>(0.45 * std::clamp(edge.pulse, 0.0, 1.0)));
    painter.setPen(QPen(glow, width + 7, Qt::SolidLine, Qt::RoundCap));
    painter.setRenderHint(QPainter::Antialiasing, scene.edges.size() <= kSmoothGlows);
    painter.drawLine(a, b);
    painter.setRenderHint(QPainter::Antialiasing, scene.edges.size() <= kSmoothEdges);
  }
  painter.setPen(QPen(theme_.age(age), std::max(width, age >= 1 ? 1.6 : width),
                      age >= 1 ? Qt::DashLine : Qt::SolidLine, Qt::FlatCap));
  painter.drawLine(a, b);
}

void GraphPainter::paint_node(QPainter& painter, const QPointF& at, double radius, int rank,
                              const GraphNode& node, bool focused) const {
  const bool absent = node.state == WorkerState::kGone || node.state == WorkerState::kExpected;
  const QColor color = theme_.rank(rank);
  if (focused) {
    painter.setPen(QPen(theme_.accent, 2.5));
    painter.setBrush(Qt::NoBrush);
    painter.drawEllipse(at, radius + 5, radius + 5);
  }
  if (absent) {
    painter.setPen(QPen(theme_.muted, 1.5, Qt::DashLine));
  } else if (radius < kBordered) {
    painter.setPen(Qt::NoPen);
  } else {
    painter.setPen(QPen(theme_.surface, 1.5));
  }
  painter.setBrush(absent || node.removed ? theme_.surface : color);
  painter.drawEllipse(at, radius, radius);
  if (radius >= 8) {
    painter.setFont(sized(font_, radius * (rank >= 100 ? 0.75 : 0.95)));
    painter.setPen(absent || node.removed ? theme_.muted : Theme::readable_on(color));
    painter.drawText(QRectF(at.x() - radius, at.y() - radius, 2 * radius, 2 * radius), Qt::AlignCenter,
                     QString::number(rank));
  } else if (focused) {
    painter.setFont(font_);
    painter.setPen(theme_.text);
    painter.drawText(at + QPointF(radius + 7, radius), QString::number(rank));
  }

  QString sign;
  Tone tone = Tone::kWarning;
  if (!node.finite) {
    sign = QStringLiteral("∞");
    tone = Tone::kBad;
  } else {
    switch (node.state) {
      case WorkerState::kStraggling:
        sign = QStringLiteral("~");
        break;
      case WorkerState::kStalled:
        sign = QStringLiteral("!"), tone = Tone::kBad;
        break;
      case WorkerState::kGone:
        sign = QStringLiteral("×"), tone = Tone::kBad;
        break;
      case WorkerState::kFinished:
        sign = QStringLiteral("✓"), tone = Tone::kGood;
        break;
      case WorkerState::kExpected:
      case WorkerState::kRunning:
        break;
    }
  }
  if (sign.isEmpty()) return;
  const double badge = std::clamp(radius * 0.62, 5.0, 8.0);
  const QPointF centre = at + QPointF(radius, -radius) * 0.85;
  painter.setPen(QPen(theme_.surface, 1.2));
  painter.setBrush(theme_.tone(tone));
  painter.drawEllipse(centre, badge, badge);
  QFont bold = sized(font_, badge * 1.6);
  bold.setBold(true);
  painter.setFont(bold);
  painter.setPen(Theme::readable_on(theme_.tone(tone)));
  painter.drawText(QRectF(centre.x() - badge, centre.y() - badge, 2 * badge, 2 * badge), Qt::AlignCenter,
                   sign);
}

void GraphPainter::paint_key(QPainter& painter, const QRectF& rect, const GraphScene& scene) const {
  const QFontMetricsF metrics(font_);
  const double y = rect.bottom() - metrics.height() - 3;
  const double middle = y + metrics.height() / 2;
  double x = rect.left() + 6;
  painter.setFont(font_);
  const auto text = [&](const QString& words) {
    painter.setPen(theme_.muted);
    painter.drawText(QPointF(x, y + metrics.ascent()), words);
    x += metrics.horizontalAdvance(words) + 6;
  };
  painter.setPen(QPen(theme_.age(0.0), edge_width(scene, GraphEdge{.rate = scene.largest_rate})));
  painter.drawLine(QPointF(x, middle), QPointF(x + 22, middle));
  x += 28;
  text(QStringLiteral("%1/s").arg(value_text(scene.largest_rate)));

  const QString last = QStringLiteral("last met");
  const QString old = QStringLiteral("%1 s").arg(value_text(scene.old_age));
  constexpr double kBar = 64;
  const double wanted = metrics.horizontalAdvance(last) + metrics.horizontalAdvance(QStringLiteral("0")) +
                        metrics.horizontalAdvance(old) + kBar + 26;
  x += 8;
  if (x + wanted > rect.right()) return;
  text(last);
  text(QStringLiteral("0"));
  QLinearGradient gradient(x, 0, x + kBar, 0);
  for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0})
    gradient.setColorAt(share, theme_.age(share));
  painter.fillRect(QRectF(x, middle - 3.5, kBar, 7), gradient);
  x += kBar + 6;
  text(old);
}

std::optional<int> GraphPainter::node_at(const QRectF& rect, const GraphScene& scene,
                                         const GraphCamera& camera, QPointF at) const {
  const double reach = std::max(node_radius(rect, camera, scene.nodes.size()) + 2, 6.0);
  std::optional<int> found;
  double nearest = reach;
  for (std::size_t k = 0; k < scene.nodes.size(); ++k) {
    const QPointF away = to_screen(rect, camera, scene.nodes[k].place) - at;
    if (const double distance = std::hypot(away.x(), away.y()); distance <= nearest) {
      nearest = distance;
      found = static_cast<int>(k);
    }
  }
  return found;
}

std::optional<std::size_t> GraphPainter::edge_at(const QRectF& rect, const GraphScene& scene,
                                                 const GraphCamera& camera, QPointF at) const {
  std::optional<std::size_t> found;
  double nearest = kReach;
  for (std::size_t k = 0; k < scene.edges.size(); ++k) {
    const GraphEdge& edge = scene.edges[k];
    if (std::max(edge.a, edge.b) >= static_cast<int>(scene.nodes.size()) || std::min(edge.a, edge.b) < 0)
      continue;
    const double distance = distance_to_segment(at, to_screen(rect, camera, scene.nodes[edge.a].place),
                                                to_screen(rect, camera, scene.nodes[edge.b].place));
    if (distance < nearest) {
      nearest = distance;
      found = k;
    }
  }
  return found;
}

}  // namespace duet::dashboard
