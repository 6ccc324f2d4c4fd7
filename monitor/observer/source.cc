#include "duet/observer/source.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "duet/error.h"

namespace duet::observer {

// Out of line: the tables of virtual functions are in the library alone.
Source::~Source() = default;
Playback::~Playback() = default;

std::string Address::text() const {
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Address> parse_address(const std::string& text, std::string* reason) {
  const auto refuse = [&](std::string why) {
    if (reason != nullptr) *reason = std::move(why);
    return std::nullopt;
  };
  std::string_view rest = text;
  const std::size_t first = rest.find_first_not_of(" \t");
  if (first == std::string_view::npos) return refuse("type a worker's address, for example node0:29800");
  rest = rest.substr(first, rest.find_last_not_of(" \t") - first + 1);
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (rest.substr(0, scheme) != "tcp")
      return refuse("\"" + std::string(rest.substr(0, scheme)) + "://\" is not understood: use host:port");
    rest = rest.substr(scheme + 3);
  }
  Address address{.host = {}, .port = kTelemetryPort};
  std::string_view port;
  bool has_port = false;
  if (!rest.empty() && rest.front() == '[') {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return refuse("the ']' after the IPv6 address is missing");
    address.host = rest.substr(1, end - 1);
    const std::string_view tail = rest.substr(end + 1);
    if (!tail.empty() && tail.front() != ':')
      return refuse("after ']' comes \":port\", not \"" + std::string(tail) + "\"");
    has_port = !tail.empty();
    if (has_port) port = tail.substr(1);
    // Behind a '%' stands the name of a network interface.
    const std::string digits = address.host.substr(0, address.host.find('%'));
    if (digits.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos ||
        address.host.find(':') == std::string::npos)
      return refuse("\"" + address.host + "\" is not an IPv6 address");
  } else {
    const std::size_t colon = rest.find(':');
    if (colon != std::string_view::npos && rest.find(':', colon + 1) != std::string_view::npos)
      return refuse("an IPv6 address stands in brackets: [::1]:29800");
    address.host = rest.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = rest.substr(colon + 1);
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const std::size_t odd = address.host.find_first_not_of(kAllowed);
    if (odd != std::string::npos)
      return refuse("a host's name has no '" + std::string(1, address.host[odd]) + "' in it");
  }
  if (address.host.empty()) return refuse("the host is missing before the port");
  if (has_port) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (port.empty()) return refuse("the port is missing after ':'");
    if (error == std::errc::invalid_argument || (error == std::errc{} && end != port.data() + port.size()))
      return refuse("the port \"" + std::string(port) + "\" is not a number");
    if (error != std::errc{} || address.port < 1 || address.port > 65535)
      return refuse("the port \"" + std::string(port) + "\" is not between 1 and 65535");
  }
  return address;
}

std::string read_secret(const std::string& file) {
  if (file.empty()) {
    const char* const given = std::getenv("DUET_SECRET");
    return given == nullptr ? "" : given;
  }
  std::ifstream in(file);
  std::string secret;
  if (!in || !std::getline(in, secret) || secret.empty())
    throw ConfigurationError("cannot read a secret from " + file + ": it is the file's first line");
  return secret;
}

const char* to_string(SourceState state) {
  switch (state) {
    case SourceState::kConnecting:
      return "connecting";
    case SourceState::kRunning:
      return "running";
    case SourceState::kReconnecting:
      return "reconnecting";
    case SourceState::kPaused:
      return "paused";
    case SourceState::kEnded:
      return "ended";
  }
  return "unknown";
}

}  // namespace duet::observer
