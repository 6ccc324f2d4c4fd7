#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Numbers and texts as the table shows them. Pure.
namespace duet::top {

enum class Style : std::uint8_t { kNormal, kTitle, kHeader, kSorted, kSelected, kGood, kWarning, kBad, kDim };

struct Span {
  std::string text;
  Style style = Style::kNormal;
};
using Line = std::vector<Span>;

/// What came from the network, harmless on a terminal: printable ASCII, everything else a '?'.
std::string harmless(std::string_view text);
/// Cut to `width` with '~' at the end, or filled up with blanks.
std::string fit(std::string_view text, std::size_t width, bool right = false);

/// "-" where it is not known, "nan", "inf"; else 3 significant digits: "0.00123", "12.3", "1.2e+07".
std::string number(std::optional<double> value);
/// "987", "12.3k", "4.56M".
std::string count(std::uint64_t value);
/// "512", "1.2K", "34M": bytes per second.
std::string bytes(std::optional<double> value);
/// "12%"
std::string percent(std::optional<double> share);
/// "0.3s", "12s", "4m", "2h", "3d"
std::string age(std::optional<double> seconds);
/// "12:34:56" in local time.
std::string clock(double unix_seconds);

std::size_t width(const Line& line);
/// Cut to `columns`.
Line cut(const Line& line, std::size_t columns);

}  // namespace duet::top
