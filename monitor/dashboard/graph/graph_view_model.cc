#include "dashboard/graph/graph_view_model.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "dashboard/data/number_text.h"
#include "dashboard/graph/graph_layout.h"
#include "dashboard/plot/axis_scale.h"

namespace duet::dashboard {

namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("GraphViewModel", text);
}

QString known(const std::optional<double>& value, const QString& unit) {
  return value ? value_text(*value) + unit : QStringLiteral("–");
}

QString node_tip(const observer::Worker& worker) {
  QString text = tr("worker %1").arg(worker.rank);
  if (!worker.host.empty()) text += tr(" on %1").arg(QString::fromStdString(worker.host));
  text += QStringLiteral(": ") + QString::fromLatin1(observer::to_string(worker.state));
  text += tr("\n%1, %2 pairings (target %3)")
              .arg(known(worker.steps_per_second, " steps/s"), known(worker.pairings_per_second, "/s"),
                   known(worker.target_pairings_per_second, "/s"));
  return text + tr("\ndistance to mean: %1").arg(known(worker.distance_to_mean, {}));
}

QString edge_tip(const observer::Edge& edge, double now) {
  return tr("workers %1 and %2: %3 (target %4)\n%5 meetings, the last %6 ago")
      .arg(edge.a)
      .arg(edge.b)
      .arg(known(edge.meetings_per_second, "/s"), known(edge.target_per_second, "/s"))
      .arg(edge.meetings)
      .arg(known(edge.meeting_age(now), " s"));
}

/// Above this many edges tips are made for nobody: they cost more than the picture. Below, once in so many
/// seconds.
constexpr std::size_t kTips = 4000;
constexpr double kTipInterval = 1.0;
/// An edge counts as old after the time of this many meetings at its target rate.
constexpr double kOldMeetings = 10.0;

}  // namespace

void GraphViewModel::clear() {
  scene_ = {};
  description_.clear();
  edges_laid_out_ = 0;
  tips_at_ = 0.0;
}

void GraphViewModel::lay_out(const observer::Snapshot& snapshot) {
  GraphShape shape;
  shape.workers = static_cast<int>(snapshot.workers.size());
  shape.description = snapshot.run.graph;
  for (const observer::Edge& edge : snapshot.edges) {
    if (edge.in_graph) shape.edges.emplace_back(edge.a, edge.b);
  }
  std::vector<QPointF> before;
  // Places of another kind of graph, or of one whose edges were not known yet, are not worth keeping.
  if (description_ == shape.description && edges_laid_out_ > 0) {
    for (const GraphNode& node : scene_.nodes)
      before.push_back(node.place);
  }
  description_ = shape.description;
  edges_laid_out_ = shape.edges.size();
  const std::vector<QPointF> places = layout_graph(shape, before);
  scene_.nodes.resize(places.size());
  for (std::size_t k = 0; k < places.size(); ++k)
    scene_.nodes[k].place = places[k];
}

void GraphViewModel::apply(const observer::Snapshot& snapshot, bool shape_changed, const WhatIf& what) {
  scene_.empty_text = tr("Waiting for workers");
  const bool tips = shape_changed || std::abs(snapshot.time - tips_at_) >= kTipInterval;
  if (tips) tips_at_ = snapshot.time;
  if (shape_changed || scene_.nodes.size() != snapshot.workers.size() || description_ != snapshot.run.graph) {
    lay_out(snapshot);
  }
  for (std::size_t k = 0; k < scene_.nodes.size(); ++k) {
    const observer::Worker& worker = snapshot.workers[k];
    GraphNode& node = scene_.nodes[k];
    node.state = worker.state;
    node.finite = worker.finite;
    node.removed = what.workers.contains(worker.rank);
    if (tips && scene_.nodes.size() <= kTips) node.tip = node_tip(worker);
  }
  scene_.edges.resize(snapshot.edges.size());
  double target = 0.0;
  double largest = 0.0;
  std::size_t targets = 0;
  for (std::size_t k = 0; k < snapshot.edges.size(); ++k) {
    const observer::Edge& from = snapshot.edges[k];
    GraphEdge& edge = scene_.edges[k];
    edge.a = from.a;
    edge.b = from.b;
    edge.in_graph = from.in_graph;
    edge.rate = from.meetings_per_second.value_or(0.0);
    edge.age = from.meeting_age(snapshot.time);
    edge.pulse = edge.age ? std::clamp(1.0 - *edge.age / kPulse, 0.0, 1.0) : 0.0;
    edge.removed = what.edges.contains({from.a, from.b});
    if (tips) edge.tip = snapshot.edges.size() <= kTips ? edge_tip(from, snapshot.time) : QString();
    if (!from.in_graph) continue;
    largest = std::max(largest, edge.rate);
    if (from.target_per_second && *from.target_per_second > 0) {
      target += *from.target_per_second;
      ++targets;
    }
  }
  // Round, and with room: edges do not change their width whenever the busiest one does.
  scene_.largest_rate = largest > 0 ? AxisScale::nice_step(largest) : 0.0;
  if (targets > 0) {
    scene_.old_age =
        AxisScale::nice_step(std::clamp(kOldMeetings * static_cast<double>(targets) / target, 2.0, 600.0));
  }
}

MatrixContent pairing_matrix(const observer::Snapshot& snapshot) {
  MatrixContent content;
  content.size = static_cast<int>(snapshot.workers.size());
  content.unit = QStringLiteral("/s");
  content.empty_text = tr("Waiting for workers");
  content.values.assign(static_cast<std::size_t>(content.size) * static_cast<std::size_t>(content.size), NAN);
  for (const observer::Edge& edge : snapshot.edges) {
    if (std::min(edge.a, edge.b) < 0 || std::max(edge.a, edge.b) >= content.size) continue;
    const double rate = edge.meetings_per_second.value_or(0.0);
    if (!edge.in_graph && rate == 0) continue;
    const auto value = static_cast<float>(rate);
    content.values[static_cast<std::size_t>(edge.a) * content.size + edge.b] = value;
    content.values[static_cast<std::size_t>(edge.b) * content.size + edge.a] = value;
    content.largest = std::max(content.largest, value);
  }
  if (content.largest > 0) content.largest = static_cast<float>(AxisScale::nice_step(content.largest));
  return content;
}

}  // namespace duet::dashboard
