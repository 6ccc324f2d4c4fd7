#pragma once

#include <QPainter>
#include <QRect>

#include "dashboard/plot/plot_content.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// Draws one time plot: the same for the screen, a PNG and an SVG. Pure: what is drawn depends on the
/// arguments alone. The left margin depends on the font alone, so that plots below each other share their
/// time axis.
class PlotPainter {
 public:
  PlotPainter(const Theme& theme, const QFont& font);

  /// Where the lines are within `rect`.
  QRect area(const QRect& rect) const;
  /// Everything but the crosshair.
  void paint(QPainter& painter, const QRect& rect, const PlotContent& content, const PlotFrame& frame) const;
  /// A line at `time` and every curve's nearest value, sorted; `label`: with those values.
  void paint_cursor(QPainter& painter, const QRect& rect, const PlotContent& content, const PlotFrame& frame,
                    double time, bool label) const;

  AxisScale time_scale(const QRect& rect, const PlotContent& content, const PlotFrame& frame) const;
  AxisScale value_scale(const QRect& rect, const PlotContent& content, const PlotFrame& frame) const;

  struct Value {
    QString name;
    QColor color;
    double value = 0.0;
  };
  /// At the crosshair: the largest first; only curves that have a sample within reach of `time`.
  static std::vector<Value> values_at(const PlotContent& content, const PlotFrame& frame, double time);

 private:
  void paint_title(QPainter& painter, const QRect& rect, const PlotContent& content, double base) const;
  void paint_value_axis(QPainter& painter, const QRect& rect, const AxisScale& values) const;
  void paint_time_axis(QPainter& painter, const QRect& rect, const PlotContent& content,
                       const PlotFrame& frame) const;
  int most_values(const QRect& inner) const;  ///< labels that the value axis has room for
  void paint_band(QPainter& painter, const Band& band, const QRect& area, const PlotFrame& frame,
                  const AxisScale& values) const;
  void paint_curve(QPainter& painter, const Curve& curve, const QRect& area, const PlotFrame& frame,
                   const AxisScale& values, bool smooth, int column_width) const;

  const Theme& theme_;
  QFont font_;
  QFont bold_;
  QFont small_;
};

}  // namespace duet::dashboard
