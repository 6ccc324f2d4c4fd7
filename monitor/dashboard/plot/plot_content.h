#pragma once

#include <QColor>
#include <QString>
#include <Qt>
#include <vector>

#include "dashboard/data/series.h"
#include "dashboard/data/time_view.h"
#include "dashboard/plot/axis_scale.h"

namespace duet::dashboard {

/// A line of a plot. The series belongs to somebody else and must outlive the content.
struct Curve {
  const Series* series = nullptr;
  QColor color;
  QString name;
  double width = 1.2;
  Qt::PenStyle style = Qt::SolidLine;
  /// Named in the plot's own key; workers are in the legend instead.
  bool in_key = false;
  /// Drawn above the others.
  bool on_top = false;
};

/// From one series to another, filled.
struct Band {
  const Series* low = nullptr;
  const Series* high = nullptr;
  QColor color;
  QString name;
};

/// A line that was computed, not measured. Straight between its points on the plot's scale; has no part in
/// the choice of the range of values.
struct Overlay {
  std::vector<Sample> points;
  QColor color;
  QString name;
};

/// Something without a value: a sample that was not finite.
struct Mark {
  double time = 0.0;
  QColor color;
};

/// All that one time plot shows. What of it is seen (range of time and values) is not part of it.
struct PlotContent {
  QString title;
  QString unit;  ///< empty: a number without one
  QString note;  ///< right of the title: the newest values
  ScaleKind scale = ScaleKind::kLinear;
  /// Of the horizontal axis: time, or a number where it counts something else (steps, meetings).
  ScaleKind along = ScaleKind::kTime;
  double origin = 0.0;  ///< where the time axis counts from
  std::vector<Band> bands;
  std::vector<Curve> curves;
  std::vector<Overlay> overlays;
  std::vector<Mark> marks;
  QString empty_text;  ///< shown while there is nothing to draw
};

/// The part that is seen.
struct PlotFrame {
  TimeRange time;
  ValueRange values;
};

/// The range of values that shows all of the content within `time`; with nothing there, the scale's default.
ValueRange fitting_values(const PlotContent& content, const TimeRange& time);

}  // namespace duet::dashboard
