#pragma once

#include <QString>
#include <cstdint>

/// Numbers as people read them. The one place that makes them: the same form everywhere (a point, commas
/// between thousands, a true minus sign), whatever the locale. A file that is read by programs has its own.
namespace duet::dashboard {

/// "1,234,567".
QString count_text(std::uint64_t count);
/// A measured value, with 4 digits: "0.01230", "1234", "1.235 M", "3.40e−09", "∞".
QString value_text(double value);
/// The same for bytes: "1.23 MB".
QString bytes_text(double bytes);
/// "0:07", "12:30", "1:02:03"; `step` < 1 adds tenths or hundredths. Negative times have a minus sign.
QString time_text(double seconds, double step = 1.0);

struct Prefix {
  double factor;
  const char* text;
};
/// Of the largest of some numbers: with one prefix for all, they can be compared.
Prefix prefix_for(double largest);
/// A number that QString made, with a true minus sign and without a plus in its exponent.
QString with_minus(QString text);
/// Digits after the point that tell multiples of `step` apart.
int digits_for(double step);

}  // namespace duet::dashboard
