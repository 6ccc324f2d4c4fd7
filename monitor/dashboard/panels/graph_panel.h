#pragma once

#include <QWidget>

#include "dashboard/data/selection.h"
#include "dashboard/data/what_if.h"
#include "dashboard/graph/graph_view_model.h"
#include "dashboard/graph/graph_widget.h"
#include "dashboard/panels/what_if_panel.h"

namespace duet::dashboard {

/// The living graph, and below it what would become of it without something.
class GraphPanel : public QWidget {
  Q_OBJECT

 public:
  /// The selection must outlive the panel.
  GraphPanel(Selection& selection, const Theme& theme, QWidget* parent = nullptr);
  void set_theme(const Theme& theme);
  void apply(const observer::Snapshot& snapshot, bool shape_changed);
  void clear();
  GraphWidget& graph() { return *graph_; }
  WhatIfPanel& prediction() { return *prediction_; }
  const WhatIf& what_if() const { return what_; }

 public Q_SLOTS:
  void toggle_worker(int rank);
  void toggle_edge(int a, int b);
  void reset_what_if();

 private:
  void ask();

  Selection& selection_;
  GraphViewModel model_;
  WhatIf what_;
  GraphWidget* graph_;
  WhatIfPanel* prediction_;
  const observer::Snapshot* snapshot_ = nullptr;
  double drawn_at_ = 0.0;
};

}  // namespace duet::dashboard
