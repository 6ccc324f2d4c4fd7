#include "plot/axis_scale.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace duet::dashboard {

namespace {

const QString kMinus = QStringLiteral("−");

QString superscript(int number) {
  static const QString digits = QStringLiteral("⁰¹²³⁴⁵⁶⁷⁸⁹");
  QString text;
  for (const QChar c : QString::number(std::abs(number))) text += digits[c.digitValue()];
  return number < 0 ? QStringLiteral("⁻") + text : text;
}

QString with_minus(QString text) {
  if (text.startsWith('-')) text.replace(0, 1, kMinus);
  return text.replace(QStringLiteral("e-"), QStringLiteral("e") + kMinus).replace(QStringLiteral("e+"), "e");
}

struct Prefix {
  double factor;
  const char* text;
};

/// Ticks from `step` on share one prefix, so that they can be compared.
Prefix prefix_for(double largest) {
  if (largest >= 1e9) return {1e9, " G"};
  if (largest >= 1e6) return {1e6, " M"};
  if (largest >= 1e4) return {1e3, " k"};
  return {1.0, ""};
}

/// Digits after the point that tell multiples of `step` apart.
int digits_for(double step) { return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12); }

QString tick_text(double value, double step, double largest) {
  if (std::abs(value) < step * 1e-6) return QStringLiteral("0");
  if (largest < 1e-3) return with_minus(QString::number(value, 'g', 3));
  const Prefix prefix = prefix_for(largest);
  return with_minus(QString::number(value / prefix.factor, 'f', digits_for(step / prefix.factor))) + prefix.text;
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

double AxisScale::to_pixel(double value) const { return at_low_ + (position(value) - low_position_) * factor_; }

double AxisScale::to_value(double pixel) const {
  const double place = low_position_ + (pixel - at_low_) / factor_;
  return kind_ == ScaleKind::kLog ? std::pow(10.0, place) : place;
}

std::vector<Tick> AxisScale::ticks(int most, double origin) const {
  most = std::max(most, 1);
  switch (kind_) {
    case ScaleKind::kLog: return log_ticks(most);
    case ScaleKind::kTime: return time_ticks(most, origin);
    case ScaleKind::kLinear: break;
  }
  return linear_ticks(most);
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
  constexpr std::array<double, 19> steps{1,    2,    5,    10,   15,   20,    30,    60,    120,  300,
                                         600,  900,  1800, 3600, 7200, 10800, 21600, 43200, 86400};
  for (const double candidate : steps) {
    if (step <= candidate) return candidate;
  }
  return nice_step(step / 86400) * 86400;
}

std::vector<Tick> AxisScale::linear_ticks(int most) const {
  const double step = nice_step((range_.high - range_.low) / most);
  const double largest = std::max(std::abs(range_.low), std::abs(range_.high));
  std::vector<Tick> ticks;
  const double first = std::ceil(range_.low / step - 1e-9);
  for (int k = 0; k <= 2 * most + 2; ++k) {
    const double value = (first + k) * step;
    if (value > range_.high + step * 1e-9) break;
    ticks.push_back({value, tick_text(value, step, largest)});
  }
  return ticks;
}

std::vector<Tick> AxisScale::log_ticks(int most) const {
  const int first = static_cast<int>(std::floor(std::log10(range_.low) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(range_.high) - 1e-9));
  const double decades = std::log10(range_.high / range_.low);
  const auto inside = [this](double value) {
    return value >= range_.low * (1 - 1e-9) && value <= range_.high * (1 + 1e-9);
  };
  std::vector<Tick> ticks;
  if (decades < 0.7) {
    // Less than 1 … 5: the powers of ten are too far apart, equal steps are not.
    ticks = linear_ticks(most);
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

QString time_text(double seconds, double step) {
  const int digits = step < 1 ? std::min(digits_for(step), 3) : 0;
  const double unit = std::pow(10.0, -digits);
  // Rounded as a whole first: 59.96 is 1:00.0, not 0:60.0.
  const double rounded = std::round(std::abs(seconds) / unit) * unit;
  const auto whole = static_cast<long long>(rounded + unit * 1e-3);
  const long long hours = whole / 3600;
  const long long minutes = whole / 60 % 60;
  QString text = hours > 0 ? QStringLiteral("%1:%2").arg(hours).arg(minutes, 2, 10, QChar('0'))
                           : QString::number(minutes);
  text += QStringLiteral(":%1").arg(whole % 60, 2, 10, QChar('0'));
  if (digits > 0) text += QString::number(rounded - static_cast<double>(whole), 'f', digits).mid(1);
  return seconds < 0 && rounded > 0 ? kMinus + text : text;
}

QString value_text(double value) {
  if (std::isnan(value)) return QStringLiteral("NaN");
  if (std::isinf(value)) return value > 0 ? QStringLiteral("∞") : kMinus + QStringLiteral("∞");
  const double size = std::abs(value);
  if (size == 0) return QStringLiteral("0");
  if (size >= 1e12 || size < 1e-4) return with_minus(QString::number(value, 'e', 2));
  const Prefix prefix = prefix_for(size);
  const double scaled = size / prefix.factor;
  int digits = scaled >= 1000 ? 0 : scaled >= 100 ? 1 : scaled >= 10 ? 2 : scaled >= 1 ? 3 : scaled >= 0.1 ? 4 : scaled >= 0.01 ? 5 : 6;
  if (scaled == std::floor(scaled)) digits = 0;
  return with_minus(QString::number(value / prefix.factor, 'f', digits)) + prefix.text;
}

QString bytes_text(double bytes) {
  const double size = std::abs(bytes);
  constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  double scaled = size;
  while (scaled >= 999.5 && unit + 1 < units.size()) {
    scaled /= 1000;
    ++unit;
  }
  const int digits = unit == 0 || scaled >= 99.5 ? 0 : scaled >= 9.95 ? 1 : 2;
  return with_minus(QString::number(bytes < 0 ? -scaled : scaled, 'f', digits)) + ' ' + units[unit];
}

}  // namespace duet::dashboard
