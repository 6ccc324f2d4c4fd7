#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <vector>

#include "dashboard/data/series.h"
#include "dashboard/plot/plot_content.h"
#include "dashboard/window/theme.h"
#include "report_names.h"

namespace duet::plot {

/// The curves in reports of duet-sim, as contents of the dashboard's plots: one plot for each quantity (the
/// squared distance of gossip; consensus distance and loss of training), in it every run of every report, a
/// colour for each report, named by what tells it apart from the others; a cross where a run was not finite.
/// What they are drawn over is told by `along`: seconds (which are steps) or meetings.
class ReportCurves {
 public:
  ReportCurves(const dashboard::Theme& theme, std::string along);

  /// Throws std::runtime_error that names the file: unreadable, no report of duet-sim, or of the other
  /// command than the ones before.
  void add(const std::string& path);

  /// They point into this object.
  const std::vector<dashboard::PlotContent>& contents() const { return contents_; }
  dashboard::PlotFrame frame(const dashboard::PlotContent& content) const;

 private:
  void name_all();

  dashboard::Theme theme_;
  std::string along_;
  std::string command_;
  double end_ = 0.0;
  std::vector<NamedReport> reports_;
  std::vector<std::size_t> report_of_curve_;  // in each of the contents alike
  std::list<dashboard::Series> series_;       // a list: contents point to its elements
  std::vector<dashboard::PlotContent> contents_;
};

}  // namespace duet::plot
