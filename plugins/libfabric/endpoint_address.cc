#include "endpoint_address.h"

#include <arpa/inet.h>

#include <cctype>
#include <charconv>
#include <string_view>

#include "failure.h"
#include "interfaces.h"

namespace duet::libfabric {

namespace {

constexpr std::string_view kScheme = "duet-libfabric:";
constexpr std::string_view kSeparator = "://";

constexpr std::size_t kLongest = 512;

std::string printable(std::string_view text, std::size_t most) {
  std::string result;
  for (const char character : text.substr(0, most)) {
    result += std::isprint(static_cast<unsigned char>(character)) != 0 ? character : '?';
  }
  return result;
}

}  // namespace

std::string to_text(const sockaddr_in& address) {
  return to_text(address.sin_addr) + ":" + std::to_string(ntohs(address.sin_port));
}

std::string EndpointAddress::blob() const {
  std::string text =
      std::string(kScheme) + provider + std::string(kSeparator) + to_text(address) + " " + machine;
  if (!others.empty()) {
    text += " " + others;
  }
  return text.substr(0, kLongest);
}

EndpointAddress EndpointAddress::parse(const std::string& blob, const std::string& our_provider,
                                       const std::string& peer) {
  const auto refuse = [&](const std::string& why) -> FailureError {
    return {DUET_MISUSE, peer + ": libfabric address \"" + printable(blob, 60) + "\": " + why};
  };
  if (!blob.starts_with(kScheme)) {
    throw refuse(
        "not an address of this transport (want \"duet-libfabric:PROVIDER://ADDRESS:PORT MACHINE\")");
  }
  const std::string_view whole = blob;
  const std::size_t blank = whole.find(' ');
  const std::string_view rest = whole.substr(0, blank).substr(kScheme.size());
  const std::size_t separator = rest.find(kSeparator);
  const std::size_t colon = rest.rfind(':');
  if (separator == std::string_view::npos || colon == separator) {
    throw refuse("no provider, or no port");
  }
  EndpointAddress result;
  result.provider = rest.substr(0, separator);
  if (result.provider != our_provider) {
    throw refuse("the peer uses provider " + printable(result.provider, 60) + ", this side " + our_provider);
  }
  const std::size_t host_begin = separator + kSeparator.size();
  const std::string host(rest.substr(host_begin, colon - host_begin));
  const std::string_view port_text = rest.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  result.address.sin_family = AF_INET;
  if (error != std::errc() || end != port_text.data() + port_text.size() || port < 1 || port > 65535 ||
      inet_pton(AF_INET, host.c_str(), &result.address.sin_addr) != 1) {
    throw refuse("no IPv4 address and port");
  }
  result.address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (blank == std::string_view::npos) {
    throw refuse("does not say which machine it is on");
  }
  const std::string_view tail = whole.substr(blank + 1);
  result.machine = tail.substr(0, tail.find(' '));
  if (const std::size_t next = tail.find(' '); next != std::string_view::npos) {
    result.others = printable(tail.substr(next + 1), kLongest);
  }
  return result;
}

std::string why_unreachable(const EndpointAddress& own, const EndpointAddress& to) {
  const bool same_machine = own.machine == to.machine;
  if (is_loopback(to.address.sin_addr) && !same_machine) {
    return "its address " + to_text(to.address) +
           " is loopback, on another machine than this: set the transport's interface there to one that "
           "leads "
           "here; it has " +
           (to.others.empty() ? "none" : to.others);
  }
  if (is_loopback(own.address.sin_addr) && !same_machine) {
    return "its address " + to_text(to.address) +
           " is on another machine, and this side's transport is on loopback: set its interface to one that "
           "leads there; there are " +
           (own.others.empty() ? "none" : own.others);
  }
  return {};
}

}  // namespace duet::libfabric
