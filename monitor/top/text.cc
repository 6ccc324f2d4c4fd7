#include "text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace duet::top {
namespace {

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// 3 significant digits, with a suffix for every step.
template <std::size_t kSteps>
std::string scaled(double value, double step, const std::array<const char*, kSteps>& suffixes) {
  std::size_t at = 0;
  // 999.6 would round to 1000.
  while (at + 1 < kSteps && std::abs(value) >= 999.5) {
    value /= step;
    ++at;
  }
  const double size = std::abs(value);
  const char* const format = at == 0 || size >= 99.95 ? "%.0f" : size >= 9.995 ? "%.1f" : "%.2f";
  return printed(format, value) + suffixes[at];
}

}  // namespace

std::string harmless(std::string_view text) {
  std::string out;
  for (const char each : text) {
    const auto code = static_cast<unsigned char>(each);
    // One '?' for a character, however many bytes it has.
    if ((code & 0xC0) == 0x80) continue;
    out.push_back(code >= 0x20 && code < 0x7F ? each : '?');
  }
  return out;
}

std::string fit(std::string_view text, std::size_t width, bool right) {
  if (text.size() > width) {
    if (width == 0) return "";
    return std::string(text.substr(0, width - 1)) + "~";
  }
  const std::string blanks(width - text.size(), ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

std::string number(std::optional<double> value) {
  if (!value) return "-";
  if (std::isnan(*value)) return "nan";
  if (std::isinf(*value)) return *value > 0 ? "inf" : "-inf";
  const double size = std::abs(*value);
  if (size != 0.0 && (size < 1e-4 || size >= 1e6)) return printed("%.1e", *value);
  return printed("%.3g", *value);
}

std::string count(std::uint64_t value) {
  return scaled<6>(static_cast<double>(value), 1000.0, {"", "k", "M", "G", "T", "P"});
}

std::string bytes(std::optional<double> value) {
  if (!value) return "-";
  if (!std::isfinite(*value)) return number(value);
  return scaled<6>(*value, 1024.0, {"", "K", "M", "G", "T", "P"});
}

std::string percent(std::optional<double> share) {
  if (!share) return "-";
  return printed("%.0f", 100.0 * *share) + "%";
}

std::string age(std::optional<double> seconds) {
  if (!seconds) return "-";
  const double value = std::max(0.0, *seconds);
  if (value < 9.95) return printed("%.1fs", value);
  if (value < 119.5) return printed("%.0fs", value);
  if (value < 7200.0) return printed("%.0fm", value / 60.0);
  if (value < 172800.0) return printed("%.0fh", value / 3600.0);
  return printed("%.0fd", value / 86400.0);
}

std::string clock(double unix_seconds) {
  // Whatever a recording claims: beyond, localtime has no year.
  if (!(unix_seconds >= 0.0 && unix_seconds < 1e11)) return "--:--:--";
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  return text;
}

std::size_t width(const Line& line) {
  std::size_t sum = 0;
  for (const Span& span : line)
    sum += span.text.size();
  return sum;
}

Line cut(const Line& line, std::size_t columns) {
  Line out;
  std::size_t left = columns;
  for (const Span& span : line) {
    if (left == 0) break;
    out.push_back({span.text.substr(0, left), span.style});
    left -= out.back().text.size();
  }
  return out;
}

}  // namespace duet::top
