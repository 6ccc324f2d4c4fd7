#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

/// Strict, locale-independent parsing: the whole text is one number, or there is none.
namespace duet::topology {

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace duet::topology
