#include "dashboard/data/number_text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace duet::dashboard {

namespace {
const QString kMinus = QStringLiteral("−");
constexpr int kGroup = 3;
}  // namespace

QString with_minus(QString text) {
  if (text.startsWith('-')) text.replace(0, 1, kMinus);
  return text.replace(QStringLiteral("e-"), QStringLiteral("e") + kMinus)
      .replace(QStringLiteral("e+"), QStringLiteral("e"));
}

int digits_for(double step) {
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12);
}

Prefix prefix_for(double largest) {
  if (largest >= 1e9) return {1e9, " G"};
  if (largest >= 1e6) return {1e6, " M"};
  if (largest >= 1e4) return {1e3, " k"};
  return {1.0, ""};
}

// Not QLocale::c(), which leaves the commas out.
QString count_text(std::uint64_t count) {
  QString text = QString::number(count);
  for (auto at = text.size() - kGroup; at > 0; at -= kGroup)
    text.insert(at, ',');
  return text;
}

QString value_text(double value) {
  if (std::isnan(value)) return QStringLiteral("NaN");
  if (std::isinf(value)) return value > 0 ? QStringLiteral("∞") : kMinus + QStringLiteral("∞");
  const double size = std::abs(value);
  if (size == 0) return QStringLiteral("0");
  if (size >= 1e12 || size < 1e-4) return with_minus(QString::number(value, 'e', 2));
  const Prefix prefix = prefix_for(size);
  const double scaled = size / prefix.factor;
  int digits = std::clamp(3 - static_cast<int>(std::floor(std::log10(scaled))), 0, 6);
  if (scaled == std::floor(scaled)) digits = 0;
  return with_minus(QString::number(value / prefix.factor, 'f', digits)) + prefix.text;
}

QString bytes_text(double bytes) {
  if (!std::isfinite(bytes)) return value_text(bytes) + QStringLiteral(" B");
  constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  double scaled = std::abs(bytes);
  while (scaled >= 999.5 && unit + 1 < units.size()) {
    scaled /= 1000;
    ++unit;
  }
  const int digits = unit == 0 || scaled >= 99.5 ? 0 : scaled >= 9.95 ? 1 : 2;
  return with_minus(QString::number(bytes < 0 ? -scaled : scaled, 'f', digits)) + ' ' + units[unit];
}

QString time_text(double seconds, double step) {
  // Beyond this a wall clock was nonsense, and would not fit into a whole number either.
  constexpr double kLongest = 1e12;
  if (!(std::abs(seconds) <= kLongest)) return QStringLiteral("–");
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
  if (digits > 0) text += QString::number(std::abs(rounded - static_cast<double>(whole)), 'f', digits).mid(1);
  return seconds < 0 && rounded > 0 ? kMinus + text : text;
}

}  // namespace duet::dashboard
