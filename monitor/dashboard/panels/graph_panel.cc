#include "dashboard/panels/graph_panel.h"

#include <QVBoxLayout>
#include <cmath>

namespace duet::dashboard {

namespace {
/// Above this many edges the picture is made anew once a second only.
constexpr std::size_t kManyEdges = 3000;
}  // namespace

GraphPanel::GraphPanel(Selection& selection, const Theme& theme, QWidget* parent)
    : QWidget(parent),
      selection_(selection),
      graph_(new GraphWidget(theme, this)),
      prediction_(new WhatIfPanel(theme, this)) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(graph_, 1);
  layout->addWidget(prediction_);
  connect(graph_, &GraphWidget::worker_picked, this,
          [this](int rank) { selection_.focus(rank < 0 ? std::nullopt : std::optional<int>(rank)); });
  connect(graph_, &GraphWidget::worker_removal_asked, this, &GraphPanel::toggle_worker);
  connect(graph_, &GraphWidget::edge_removal_asked, this, &GraphPanel::toggle_edge);
  connect(graph_, &GraphWidget::removal_reset_asked, this, &GraphPanel::reset_what_if);
  connect(prediction_, &WhatIfPanel::reset_asked, this, &GraphPanel::reset_what_if);
  connect(&selection_, &Selection::focus_changed, this, [this] {
    model_.set_focus(selection_.focused());
    graph_->set_scene(model_.scene());
  });
}

void GraphPanel::set_theme(const Theme& theme) {
  graph_->set_theme(theme);
  prediction_->set_theme(theme);
}

void GraphPanel::apply(const observer::Snapshot& snapshot, bool shape_changed) {
  snapshot_ = &snapshot;
  const bool many = snapshot.edges.size() > kManyEdges;
  if (!shape_changed && (snapshot.time == drawn_at_ || (many && std::abs(snapshot.time - drawn_at_) < 1.0)))
    return;
  drawn_at_ = snapshot.time;
  model_.apply(snapshot, shape_changed, what_);
  graph_->set_scene(model_.scene());
  if (shape_changed && !what_.empty()) ask();
}

void GraphPanel::clear() {
  snapshot_ = nullptr;
  drawn_at_ = 0.0;
  what_ = {};
  model_.clear();
  graph_->set_scene({});
  ask();
}

void GraphPanel::toggle_worker(int rank) {
  if (rank < 0 || rank >= static_cast<int>(graph_->scene().nodes.size())) return;
  what_.toggle_worker(rank);
  ask();
}

void GraphPanel::toggle_edge(int a, int b) {
  what_.toggle_edge(a, b);
  ask();
}

void GraphPanel::reset_what_if() {
  what_ = {};
  ask();
}

void GraphPanel::ask() {
  if (snapshot_ == nullptr) return prediction_->ask({}, {});
  prediction_->ask(GraphOfRun::of(*snapshot_), what_);
  model_.apply(*snapshot_, false, what_);
  graph_->set_scene(model_.scene());
}

}  // namespace duet::dashboard
