#include "sim/pair.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "duet/error.h"

namespace duet::sim {

namespace {

std::optional<double> number(std::string_view text) {
  double value = 0.0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

}  // namespace

Pair parse_pair(const std::string& option, const std::string& text, const std::string& form) {
  const std::string_view view = text;
  if (const auto colon = view.find(':'); colon != std::string_view::npos) {
    const auto first = number(view.substr(0, colon)), second = number(view.substr(colon + 1));
    if (first && second) return {*first, *second};
  }
  throw ConfigurationError(option + " " + text + ": write " + form);
}

}  // namespace duet::sim
