#include "settings.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "failure.h"

namespace duet::nccl {
namespace {

constexpr const char* kKnown =
    "library, cuda_library, device, interface, communicators, ctas, abort_timeout and integrity";

[[noreturn]] void refuse(const std::string& key, const std::string& value, const std::string& why) {
  throw FailureError(DUET_MISUSE, "nccl: setting " + key + " = \"" + value + "\": " + why);
}

int parse_number(const std::string& key, const std::string& value, int least, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < least || number > most) {
    refuse(key, value, "want a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

std::uint64_t parse_seconds(const std::string& key, const std::string& value) {
  char* end = nullptr;
  const double seconds = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !std::isfinite(seconds) || seconds < 0.0 || seconds > 3600.0)
    refuse(key, value, "want seconds, from 0 to 3600");
  return static_cast<std::uint64_t>(seconds * 1e9);
}

bool parse_choice(const std::string& key, const std::string& value) {
  if (value != "yes" && value != "no") refuse(key, value, "want yes or no");
  return value == "yes";
}

void resolve_interface(const std::string& wanted, Settings& settings) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) refuse("interface", wanted, "the system's interfaces cannot be listed");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, freeifaddrs);
  in_addr by_address{};
  const bool is_address = inet_pton(AF_INET, wanted.c_str(), &by_address) == 1;
  std::string known;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    const in_addr address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
    if (is_address ? address.s_addr == by_address.s_addr : wanted == entry->ifa_name) {
      if ((entry->ifa_flags & IFF_UP) == 0) refuse("interface", wanted, "it is down");
      settings.interface = entry->ifa_name;
      settings.address = address;
      settings.loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
      return;
    }
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &address, text, sizeof text);
    known += (known.empty() ? "" : ", ") + std::string(entry->ifa_name) + " (" + text + ")";
  }
  refuse("interface", wanted, "no such interface with an IPv4 address here; there are: " + known);
}

}  // namespace

Settings Settings::parse(const duet_setting* settings, std::uint32_t count) {
  Settings result;
  std::string interface = result.interface;
  for (std::uint32_t index = 0; index < count; ++index) {
    if (settings[index].key == nullptr || settings[index].value == nullptr)
      throw FailureError(DUET_MISUSE, "nccl: a setting without a key or a value");
    const std::string key = settings[index].key;
    const std::string value = settings[index].value;
    if (key == "library") {
      result.library = value;
    } else if (key == "cuda_library") {
      result.cuda_library = value;
    } else if (key == "device") {
      result.device = parse_number(key, value, 0, 1023);
    } else if (key == "interface") {
      interface = value;
    } else if (key == "communicators") {
      result.communicators = parse_number(key, value, 1, 1024);
    } else if (key == "ctas") {
      result.ctas = parse_number(key, value, 1, 64);
    } else if (key == "abort_timeout") {
      result.abort_timeout_ns = parse_seconds(key, value);
    } else if (key == "integrity") {
      result.integrity = parse_choice(key, value);
    } else {
      refuse(key, value, std::string("unknown; this transport knows ") + kKnown);
    }
  }
  resolve_interface(interface, result);
  return result;
}

}  // namespace duet::nccl
