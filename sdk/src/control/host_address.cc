#include "control/host_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <optional>

namespace duet::control {
namespace {

std::optional<in_addr> parse(const std::string& address) {
  in_addr parsed{};
  if (inet_pton(AF_INET, address.c_str(), &parsed) != 1) return std::nullopt;
  return parsed;
}

std::string text(const in_addr& address) {
  char buffer[INET_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET, &address, buffer, sizeof buffer) == nullptr ? std::string() : std::string(buffer);
}

/// The source address that the kernel would choose for `destination`. Connecting a datagram socket sends
/// nothing.
std::string source_address(const std::string& destination) {
  const std::optional<in_addr> parsed = parse(destination);
  if (!parsed.has_value()) return {};
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return {};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  address.sin_addr = *parsed;
  std::string result;
  if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    sockaddr_in own{};
    socklen_t size = sizeof own;
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0) result = text(own.sin_addr);
  }
  close(socket);
  return is_any(result) ? std::string() : result;
}

std::string first_interface_address() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if ((entry->ifa_flags & IFF_UP) == 0 || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    return text(reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr);
  }
  return {};
}

}  // namespace

std::string resolve_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (host.empty() || getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return {};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, freeaddrinfo);
  return text(reinterpret_cast<const sockaddr_in*>(list->ai_addr)->sin_addr);
}

bool is_loopback(const std::string& address) {
  const std::optional<in_addr> parsed = parse(address);
  return parsed.has_value() && (ntohl(parsed->s_addr) >> 24) == 127;
}

bool is_any(const std::string& address) {
  const std::optional<in_addr> parsed = parse(address);
  return parsed.has_value() && parsed->s_addr == 0;
}

std::string own_address_toward(const std::string& host) {
  if (std::string own = source_address(resolve_host(host)); !own.empty()) return own;
  // Reserved for documentation (RFC 5737): nobody has it, so the way there is the default route.
  if (std::string own = source_address("192.0.2.1"); !own.empty()) return own;
  if (std::string own = first_interface_address(); !own.empty()) return own;
  return "127.0.0.1";
}

}  // namespace duet::control
