#include "dashboard/plot/axis_scale.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

namespace {

/// In characters, of a label beside a vertical axis: what the plots' margin was made for.
constexpr qsizetype kLongestLabel = 8;
/// Decades of a logarithmic scale below which powers of ten are too far apart, and equal steps are not.
constexpr double kEqualSteps = 0.7;

QString superscript(int number) {
  static const QString digits = QStringLiteral("⁰¹²³⁴⁵⁶⁷⁸⁹");
  QString text;
  for (const QChar c : QString::number(std::abs(number)))
    text += digits[c.digitValue()];
  return number < 0 ? QStringLiteral("⁻") + text : text;
}

QString tick_text(double value, double step, double largest) {
  if (std::abs(value) < step * 1e-6) return QStringLiteral("0");
  if (largest < 1e-3 || largest >= 1e12) return with_minus(QString::number(value, 'g', 3));
  const Prefix prefix = prefix_for(largest);
  return with_minus(QString::number(value / prefix.factor, 'f', digits_for(step / prefix.factor))) +
         prefix.text;
}

bool readable(const std::vector<Tick>& ticks) {
  for (std::size_t k = 0; k < ticks.size(); ++k) {
    if (ticks[k].label.size() > kLongestLabel || (k > 0 && ticks[k].label == ticks[k - 1].label))
      return false;
  }
  return true;
}

QString decade_text(int exponent) {
  if (exponent >= -2 && exponent <= 3) return QString::number(std::pow(10.0, exponent), 'g', 6);
  return QStringLiteral("10") + superscript(exponent);
}

}  // namespace

AxisScale::AxisScale(ScaleKind kind, ValueRange range, double at_low, double at_high)
    : kind_(kind), range_(range), at_low_(at_low), at_high_(at_high) {
  if (!std::isfinite(range_.low) || !std::isfinite(range_.high)) range_ = {0.0, 1.0};
  if (range_.low > range_.high) std::swap(range_.low, range_.high);
  if (kind_ == ScaleKind::kLog) {
    if (range_.high <= 0) range_ = {0.1, 1.0};
    if (range_.low <= 0) range_.low = range_.high * 1e-6;
    if (range_.high / range_.low < 1 + 1e-9) range_ = {range_.low / 2, range_.high * 2};
  } else if (const double least = std::max(std::abs(range_.high), std::abs(range_.low)) * 1e-12;
             range_.high - range_.low <= least) {
    const double half = std::max(std::abs(range_.high) / 2, 0.5);
    range_ = {range_.low - half, range_.high + half};
  }
  low_position_ = position(range_.low);
  factor_ = (at_high_ - at_low_) / (position(range_.high) - low_position_);
  if (factor_ == 0 || !std::isfinite(factor_)) factor_ = 1e-9;
}

double AxisScale::position(double value) const {
  if (kind_ != ScaleKind::kLog) return value;
  // What is not positive lies far below, where the clipping takes it.
  return value > 0 ? std::log10(value) : std::log10(range_.low) - 30.0;
}

double AxisScale::to_pixel(double value) const {
  return at_low_ + (position(value) - low_position_) * factor_;
}

double AxisScale::to_value(double pixel) const {
  const double place = low_position_ + (pixel - at_low_) / factor_;
  return kind_ == ScaleKind::kLog ? std::pow(10.0, place) : place;
}

std::vector<Tick> AxisScale::ticks(int most, double origin) const {
  most = std::max(most, 1);
  switch (kind_) {
    case ScaleKind::kLog:
      return log_ticks(most);
    case ScaleKind::kTime:
      return time_ticks(most, origin);
    case ScaleKind::kLinear:
      break;
  }
  return equal_ticks(most, base(most));
}

double AxisScale::nice_step(double step) {
  if (!(step > 0) || !std::isfinite(step)) return 1.0;
  const double decade = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (step <= decade * factor * (1 + 1e-9)) return decade * factor;
  }
  return decade * 10;
}

double AxisScale::nice_time_step(double step) {
  if (step <= 1.0) return nice_step(step);
  constexpr std::array<double, 19> steps{1,   2,   5,    10,   15,   20,    30,    60,    120,  300,
                                         600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
  for (const double candidate : steps) {
    if (step <= candidate) return candidate;
  }
  return nice_step(step / 86400) * 86400;
}

double AxisScale::base(int most) const {
  const bool equal_steps =
      kind_ == ScaleKind::kLinear || (kind_ == ScaleKind::kLog && decades() < kEqualSteps);
  if (!equal_steps || readable(equal_ticks(std::max(most, 1), 0.0))) return 0.0;
  const double unit = std::pow(10.0, std::ceil(std::log10(range_.high - range_.low)));
  return std::floor(range_.low / unit + 1e-9) * unit;
}

double AxisScale::decades() const {
  return std::log10(range_.high / range_.low);
}

std::vector<Tick> AxisScale::equal_ticks(int most, double base) const {
  const double step = nice_step((range_.high - range_.low) / most);
  const double largest = std::max(std::abs(range_.low - base), std::abs(range_.high - base));
  std::vector<Tick> ticks;
  const double first = std::ceil(range_.low / step - 1e-9);
  for (int k = 0; k <= 2 * most + 2; ++k) {
    const double value = (first + k) * step;
    if (value > range_.high + step * 1e-9) break;
    ticks.push_back({value, tick_text(value - base, step, largest)});
  }
  return ticks;
}

std::vector<Tick> AxisScale::log_ticks(int most) const {
  const int first = static_cast<int>(std::floor(std::log10(range_.low) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(range_.high) - 1e-9));
  const auto inside = [this](double value) {
    return value >= range_.low * (1 - 1e-9) && value <= range_.high * (1 + 1e-9);
  };
  std::vector<Tick> ticks;
  const double decades = this->decades();
  if (decades < kEqualSteps) {
    ticks = equal_ticks(most, base(most));
    std::erase_if(ticks, [](const Tick& tick) { return tick.value <= 0; });
    return ticks;
  }
  const int every = std::max(1, static_cast<int>(std::ceil(decades / most)));
  // As many of 1, 2 and 5 as there is room for.
  const bool fives = every == 1 && decades * 2 <= most + 0.5;
  const bool twos = every == 1 && decades * 3 <= most + 0.5;
  for (int exponent = first; exponent <= last; ++exponent) {
    const double decade = std::pow(10.0, exponent);
    for (int digit = 1; digit <= (every == 1 ? 9 : 1); ++digit) {
      const double value = decade * digit;
      if (!inside(value)) continue;
      QString label;
      if (digit == 1 && (exponent - first) % every == 0) {
        label = decade_text(exponent);
      } else if ((digit == 5 && (fives || twos)) || (digit == 2 && twos)) {
        label = exponent >= -2 && exponent <= 3
                    ? QString::number(value, 'g', 6)
                    : QStringLiteral("%1·").arg(digit) + QStringLiteral("10") + superscript(exponent);
      }
      ticks.push_back({value, label});
    }
  }
  return ticks;
}

std::vector<Tick> AxisScale::time_ticks(int most, double origin) const {
  const double step = nice_time_step((range_.high - range_.low) / most);
  std::vector<Tick> ticks;
  const double first = std::ceil((range_.low - origin) / step - 1e-9);
  for (int k = 0; k <= 2 * most + 2; ++k) {
    const double since = (first + k) * step;
    if (since + origin > range_.high + step * 1e-9) break;
    ticks.push_back({since + origin, time_text(since, step)});
  }
  return ticks;
}

ValueRange AxisScale::around(ScaleKind kind, double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) return {0.0, 1.0};
  if (kind == ScaleKind::kTime) return {low, high};
  if (kind == ScaleKind::kLog) {
    if (high <= 0) return {0.1, 1.0};
    low = std::max(low, high * 1e-12);
    const double margin = std::max(std::pow(high / low, 0.06), 1.05);
    return {low / margin, high * margin};
  }
  const double length = high - low;
  if (length <= std::abs(high) * 1e-9) {
    const double half = std::max(std::abs(high) * 0.1, 1e-9);
    return high == 0 ? ValueRange{0.0, 1.0} : ValueRange{low - half, high + half};
  }
  const bool from_zero = low >= 0 && low < 0.6 * high;
  return {from_zero ? 0.0 : low - 0.06 * length, high + 0.08 * (from_zero ? high : length)};
}

}  // namespace duet::dashboard
