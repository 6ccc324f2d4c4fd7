#include "settings.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "failure.h"
#include "interfaces.h"

namespace duet::libfabric {

namespace {

[[noreturn]] void refuse(const std::string& key, const std::string& value, const std::string& why) {
  throw FailureError(DUET_MISUSE, "libfabric: setting " + key + " = \"" + value + "\": " + why);
}

/// FI_PROVIDER may be a list, or (with ^) a list of what not to use; only its first positive name is a
/// choice.
std::string default_provider() {
  const char* set = std::getenv("FI_PROVIDER");
  const std::string_view list = set == nullptr ? "" : set;
  if (list.empty() || list.front() == '^') {
    return kTestedProvider;
  }
  return std::string(list.substr(0, list.find(',')));
}

void resolve_interface(const std::string& wanted, Settings& settings) {
  in_addr by_address{};
  const bool is_address = inet_pton(AF_INET, wanted.c_str(), &by_address) == 1;
  if (is_address && by_address.s_addr == htonl(INADDR_ANY)) {
    refuse("interface", wanted, "peers cannot connect to a wildcard; name one interface or address");
  }
  const std::vector<Interface> interfaces = list_interfaces();
  for (const Interface& one : interfaces) {
    // All of 127.0.0.0/8 belongs to the loopback interface, though it lists one address only.
    const bool loopback_alias = one.loopback && is_address && is_loopback(by_address);
    const bool match =
        is_address ? one.address.s_addr == by_address.s_addr || loopback_alias : wanted == one.name;
    if (!match) {
      continue;
    }
    if (!one.up) {
      refuse("interface", wanted, "it is down");
    }
    settings.interface = one.name;
    settings.address = is_address ? by_address : one.address;
    settings.loopback = one.loopback;
    return;
  }
  refuse("interface", wanted,
         "no such interface with an IPv4 address here; there are: " + libfabric::describe(interfaces));
}

std::uint16_t parse_port(std::string_view text, const std::string& whole) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) {
    refuse("port_range", whole, "want FIRST-LAST or one port, each from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

void parse_port_range(const std::string& value, Settings& settings) {
  const std::string_view text = value;
  const std::size_t dash = text.find('-');
  settings.first_port = parse_port(text.substr(0, dash), value);
  settings.last_port =
      dash == std::string_view::npos ? settings.first_port : parse_port(text.substr(dash + 1), value);
  if (settings.first_port > settings.last_port) {
    refuse("port_range", value, "the first port is above the last");
  }
}

}  // namespace

Settings Settings::parse(const duet_setting* settings, std::uint32_t count) {
  Settings result;
  std::string interface = "lo";
  for (std::uint32_t index = 0; index < count; ++index) {
    if (settings[index].key == nullptr || settings[index].value == nullptr) {
      throw FailureError(DUET_MISUSE, "libfabric: a setting without a key or a value");
    }
    const std::string key = settings[index].key;
    const std::string value = settings[index].value;
    if (key == "provider") {
      result.provider = value;
    } else if (key == "interface") {
      interface = value;
    } else if (key == "port_range") {
      parse_port_range(value, result);
    } else {
      refuse(key, value, "unknown; this transport knows provider, interface and port_range");
    }
  }
  if (result.provider.empty()) {
    result.provider = default_provider();
  }
  resolve_interface(interface, result);
  return result;
}

std::string Settings::describe() const {
  return provider + " over " + interface + " (" + to_text(address) + ")";
}

}  // namespace duet::libfabric
