#include "transport/faults.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>

#include "duet/error.h"
#include "support/log.h"

namespace duet::transport {
namespace {

[[noreturn]] void refuse(std::string_view item, const std::string& why) {
  throw ConfigurationError(fmt::format("faults: \"{}\": {}", item, why));
}

double number(std::string_view item, std::string_view text, double most) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    refuse(item, fmt::format("\"{}\" is not a number", text));
  }
  if (value < 0.0 || value > most) refuse(item, fmt::format("must be between 0 and {}", most));
  return value;
}

}  // namespace

Faults parse_faults(const std::string& text) {
  constexpr double kLongestDelay = 3600.0;
  constexpr double kAnything = std::numeric_limits<double>::max();
  Faults faults;
  std::set<std::string_view> seen;
  const std::string_view all = text;
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t to = std::min(all.find(',', from), all.size());
    const std::string_view item = all.substr(from, to - from);
    from = to + 1;
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) refuse(item, "is not NAME=VALUE, as in delay=0.002");
    const std::string_view name = item.substr(0, equals);
    const std::string_view value = item.substr(equals + 1);
    if (!seen.insert(name).second) refuse(item, "is given twice");
    if (name == "delay") {
      faults.delay = number(item, value, kLongestDelay);
    } else if (name == "bandwidth") {
      faults.bandwidth = number(item, value, kAnything);
      if (faults.bandwidth < 1.0) refuse(item, "must be at least 1 byte per second");
    } else if (name == "drop") {
      faults.drop = number(item, value, 1.0);
    } else if (name == "corrupt") {
      faults.corrupt = number(item, value, 1.0);
    } else if (name == "disconnect") {
      faults.disconnect = number(item, value, 1.0);
    } else if (name == "edges") {
      const std::size_t colon = value.find(':');
      if (colon == std::string_view::npos) refuse(item, "is not edges=FRACTION:FACTOR, as in edges=0.25:4");
      faults.slow_edges = number(item, value.substr(0, colon), 1.0);
      faults.slow_factor = number(item, value.substr(colon + 1), kAnything);
      if (faults.slow_factor < 1.0) refuse(item, "FACTOR must be at least 1");
    } else if (name == "seed") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), faults.seed);
      if (error != std::errc() || end != value.data() + value.size()) refuse(item, "is not a whole number");
    } else {
      refuse(item, "unknown; there are delay, bandwidth, drop, corrupt, disconnect, edges and seed");
    }
  }
  if (faults.slow_edges > 0.0 && faults.delay == 0.0 && faults.bandwidth == 0.0) {
    throw ConfigurationError(
        "faults: \"edges\" slows down what delay or bandwidth make slow: give one of them too");
  }
  return faults;
}

std::string to_string(const Faults& faults) {
  std::string text;
  const auto add = [&](const char* name, double value) {
    if (value != 0.0) text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, value);
  };
  add("delay", faults.delay);
  add("bandwidth", faults.bandwidth);
  add("drop", faults.drop);
  add("corrupt", faults.corrupt);
  add("disconnect", faults.disconnect);
  if (faults.slow_edges > 0.0) {
    text += fmt::format("{}edges={}:{}", text.empty() ? "" : ",", faults.slow_edges, faults.slow_factor);
  }
  if (faults.seed != 0) text += fmt::format("{}seed={}", text.empty() ? "" : ",", faults.seed);
  return text;
}

}  // namespace duet::transport
