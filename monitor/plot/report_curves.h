#pragma once

#include <list>
#include <string>
#include <vector>

#include "dashboard/data/series.h"
#include "dashboard/plot/plot_content.h"
#include "dashboard/window/theme.h"

namespace duet::plot {

/// The curves in reports of duet-sim, as contents of the dashboard's plots: one plot for each quantity (the
/// squared distance of gossip; consensus distance and loss of training), in it every run of every report, a
/// colour for each report. What they are drawn over is told by `along`: seconds (which are steps) or
/// meetings.
class ReportCurves {
 public:
  ReportCurves(dashboard::Theme theme, std::string along);

  /// Throws std::runtime_error that names the file: unreadable, no report of duet-sim, or of the other
  /// command than the ones before.
  void add(const std::string& path);

  /// They point into this object.
  const std::vector<dashboard::PlotContent>& contents() const { return contents_; }
  dashboard::PlotFrame frame(const dashboard::PlotContent& content) const;

 private:
  dashboard::Theme theme_;
  std::string along_;
  std::string command_;
  int reports_ = 0;
  double end_ = 0.0;
  std::list<dashboard::Series> series_;  // a list: contents point to its elements
  std::vector<dashboard::PlotContent> contents_;
};

}  // namespace duet::plot
