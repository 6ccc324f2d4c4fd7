#include "support/key_values.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "duet/error.h"

namespace duet::support {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

KeyValues parse_key_values(std::string_view text, std::string_view what) {
  KeyValues pairs;
  if (trim(text).empty()) return pairs;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find(',', from), text.size());
    const std::string_view part = trim(text.substr(from, to - from));
    from = to + 1;
    const auto refuse = [&](std::string_view why) {
      throw ConfigurationError(
          fmt::format("{}: \"{}\" {}; want KEY=VALUE, with commas between several", what, part, why));
    };
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) refuse("has no \"=\"");
    const std::string_view key = trim(part.substr(0, equals));
    const std::string_view value = trim(part.substr(equals + 1));
    if (key.empty()) refuse("has no key");
    if (value.empty()) refuse("has no value");
    if (std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == key; })) {
      refuse("names a key a second time");
    }
    pairs.emplace_back(key, value);
  }
  return pairs;
}

}  // namespace duet::support
