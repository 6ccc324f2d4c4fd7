#include "endpoint_address.h"

#include <arpa/inet.h>

#include <cctype>
#include <charconv>
#include <string_view>

#include "failure.h"

namespace duet::libfabric {

namespace {

constexpr std::string_view kScheme = "duet-libfabric:";
constexpr std::string_view kSeparator = "://";

std::string printable(std::string_view text) {
  std::string result;
  for (const char character : text.substr(0, 60)) {
    result += std::isprint(static_cast<unsigned char>(character)) != 0 ? character : '?';
  }
  return result;
}

}  // namespace

std::string to_text(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
}

std::string make_blob(const std::string& provider, const sockaddr_in& address) {
  return std::string(kScheme) + provider + std::string(kSeparator) + to_text(address);
}

sockaddr_in parse_blob(const std::string& blob, const std::string& our_provider, const std::string& peer) {
  const auto refuse = [&](const std::string& why) -> FailureError {
    return {DUET_MISUSE, peer + ": libfabric address \"" + printable(blob) + "\": " + why};
  };
  if (!blob.starts_with(kScheme)) {
    throw refuse("not an address of this transport (want \"duet-libfabric:PROVIDER://ADDRESS:PORT\")");
  }
  const std::string_view rest = std::string_view(blob).substr(kScheme.size());
  const std::size_t separator = rest.find(kSeparator);
  const std::size_t colon = rest.rfind(':');
  if (separator == std::string_view::npos || colon == separator) {
    throw refuse("no provider, or no port");
  }
  const std::string_view provider = rest.substr(0, separator);
  if (provider != our_provider) {
    throw refuse("the peer uses provider " + printable(provider) + ", this side " + our_provider);
  }
  const std::size_t host_begin = separator + kSeparator.size();
  const std::string host(rest.substr(host_begin, colon - host_begin));
  const std::string_view port_text = rest.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (error != std::errc() || end != port_text.data() + port_text.size() || port < 1 || port > 65535 ||
      inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw refuse("no IPv4 address and port");
  }
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace duet::libfabric
