#include "options/address.h"

#include <cstddef>

#include "topology/numbers.h"

namespace duet::options {

bool is_loopback(std::string_view host) {
  if (host == "::1" || host == "[::1]" || host == "localhost") return true;
  if (!host.starts_with("127.")) return false;
  return host.find_first_not_of("0123456789.") == std::string_view::npos;  // not 127.example.org
}

bool is_any(std::string_view host) {
  return host == "0.0.0.0" || host == "::" || host == "[::]" || host == "*";
}

std::optional<Seed> parse_seed(std::string_view text) {
  constexpr std::string_view kScheme = "seed://";
  if (!text.starts_with(kScheme)) return std::nullopt;
  text.remove_prefix(kScheme.size());
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  const auto port = topology::parse_number<int>(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) return std::nullopt;
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (host.find_first_of(" /\t") != std::string_view::npos) return std::nullopt;
  if (!bracketed && host.find(':') != std::string_view::npos) return std::nullopt;
  return Seed{std::string(host), *port};
}

std::string write_seed(std::string_view host, int port) {
  const bool bare_ipv6 = host.find(':') != std::string_view::npos && host.front() != '[';
  std::string text = "seed://";
  text += bare_ipv6 ? "[" + std::string(host) + "]" : std::string(host);
  return text + ":" + std::to_string(port);
}

}  // namespace duet::options
