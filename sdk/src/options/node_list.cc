#include "options/node_list.h"

#include <cstddef>

namespace duet::options {

std::string first_host(std::string_view list) {
  std::string host;
  for (std::size_t at = 0; at < list.size() && list[at] != ',';) {
    if (list[at] != '[') {
      host += list[at++];
      continue;
    }
    const std::size_t close = list.find(']', at);
    if (close == std::string_view::npos) return {};
    const std::string_view inside = list.substr(at + 1, close - at - 1);
    const std::string_view first = inside.substr(0, inside.find_first_of(",-"));  // with its leading zeros
    if (first.empty()) return {};
    host += first;
    at = close + 1;
  }
  return host;
}

}  // namespace duet::options
