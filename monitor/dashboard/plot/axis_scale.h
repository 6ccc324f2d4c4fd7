#pragma once

#include <QString>
#include <vector>

namespace duet::dashboard {

enum class ScaleKind {
  kLinear,
  kLog,   ///< base 10; what is not positive has no place on it
  kTime,  ///< seconds since an origin, told in hours, minutes and seconds
};

struct ValueRange {
  double low = 0.0;
  double high = 1.0;
  bool operator==(const ValueRange&) const = default;
};

struct Tick {
  double value = 0.0;
  QString label;  ///< empty: a minor tick
};

/// Where a value is on an axis and which ticks the axis has. Pure; a value.
class AxisScale {
 public:
  /// `low` is drawn at pixel `at_low`, `high` at `at_high` (which is the smaller number on a vertical axis).
  /// A range that is empty, inverted, not finite or, for a logarithmic scale, not positive is replaced by the
  /// nearest one that is not.
  AxisScale(ScaleKind kind, ValueRange range, double at_low, double at_high);

  ScaleKind kind() const { return kind_; }
  const ValueRange& range() const { return range_; }
  double to_pixel(double value) const;
  double to_value(double pixel) const;

  /// At most about `most` labelled ticks, and minor ones between them where a logarithmic scale has room for
  /// them. Labels have as many digits as tell neighbours apart. kTime: `origin` is where it counts from.
  std::vector<Tick> ticks(int most, double origin = 0.0) const;
  /// What the labels of ticks(most) are counted from. 0, unless the range is so narrow for where it is
  /// (100.0001 to 100.0004) that whole labels would be wider than a margin, or alike.
  double base(int most) const;

  /// A range that shows [low, high] with a margin and, on a linear scale, starts at 0 where that is near.
  static ValueRange around(ScaleKind kind, double low, double high);
  /// 1, 2 or 5 times a power of ten, not less than `step`.
  static double nice_step(double step);
  /// Of the steps that people count time in: 0.1 s … 1 s, 2 s, 5 s, 10 s, 15 s, 30 s, 1 min … 1 h, days.
  static double nice_time_step(double step);

 private:
  std::vector<Tick> equal_ticks(int most, double base) const;
  std::vector<Tick> log_ticks(int most) const;
  std::vector<Tick> time_ticks(int most, double origin) const;
  double position(double value) const;  ///< linear in pixels
  double decades() const;               ///< of a logarithmic scale

  ScaleKind kind_;
  ValueRange range_;
  double at_low_;
  double at_high_;
  double low_position_;
  double factor_;  ///< pixels per unit of position
};

}  // namespace duet::dashboard
