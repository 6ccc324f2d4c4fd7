#include "dashboard/plot/plot_content.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace duet::dashboard {

namespace {

/// Grows [low, high] by what the series has within the range, and by the samples just outside, whose lines
/// are seen.
void include(const Series& series, const TimeRange& time, ScaleKind scale, double& low, double& high) {
  if (series.empty()) return;
  std::size_t begin = series.lower_bound(time.from);
  std::size_t end = series.lower_bound(std::nextafter(time.to, HUGE_VAL), begin);
  if (begin > 0 && begin == end) --begin;
  if (begin == end && end < series.size()) ++end;
  if (begin == end) return;
  MinMax extremes = series.extremes(begin, end);
  if (scale == ScaleKind::kLog && extremes.min <= 0) {
    // Rare (a distance of exactly 0): look at each.
    if (extremes.max <= 0) return;
    extremes.min = extremes.max;
    for (std::size_t k = begin; k < end; ++k) {
      if (series.at(k).value > 0) extremes.min = std::min(extremes.min, series.at(k).value);
    }
  }
  low = std::min(low, extremes.min);
  high = std::max(high, extremes.max);
}

}  // namespace

ValueRange fitting_values(const PlotContent& content, const TimeRange& time) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const Curve& curve : content.curves) {
    if (curve.series != nullptr) include(*curve.series, time, content.scale, low, high);
  }
  for (const Band& band : content.bands) {
    if (band.low != nullptr) include(*band.low, time, content.scale, low, high);
    if (band.high != nullptr) include(*band.high, time, content.scale, low, high);
  }
  return AxisScale::around(content.scale, low, high);
}

}  // namespace duet::dashboard
