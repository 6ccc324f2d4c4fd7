#include "page_text.h"

#include <cmath>
#include <cstddef>

namespace duet::exporter {

using nlohmann::json;

std::string html_escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string label_text(const std::string& text) {
  constexpr std::size_t kLongest = 256;
  const json quoted = text.substr(0, kLongest);
  return json::parse(quoted.dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

json json_real(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

std::string json_text(const json& page) {
  return page.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace duet::exporter
