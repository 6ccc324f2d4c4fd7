#include "interfaces.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "failure.h"

namespace duet::libfabric {

std::vector<Interface> list_interfaces() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) {
    const int code = errno;
    throw FailureError(
        Failure{DUET_NOT_SUPPORTED, code,
                std::string("libfabric: the system's interfaces cannot be listed: ") + std::strerror(code)});
  }
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, freeifaddrs);
  std::vector<Interface> interfaces;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) {
      continue;
    }
    interfaces.push_back({entry->ifa_name, reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr,
                          (entry->ifa_flags & IFF_LOOPBACK) != 0, (entry->ifa_flags & IFF_UP) != 0});
  }
  return interfaces;
}

std::string describe(const std::vector<Interface>& interfaces) {
  std::string text;
  for (const Interface& one : interfaces) {
    text += (text.empty() ? "" : ", ") + one.name + " (" + to_text(one.address) + (one.up ? ")" : ", down)");
  }
  return text.empty() ? "none" : text;
}

bool is_loopback(in_addr address) {
  return (ntohl(address.s_addr) >> 24) == IN_LOOPBACKNET;
}

std::string machine_identity() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  // Containers and network namespaces share the boot, but not the loopback interface.
  struct stat name_space {};
  if (stat("/proc/self/ns/net", &name_space) == 0) {
    boot += "/" + std::to_string(name_space.st_dev) + "/" + std::to_string(name_space.st_ino);
  }
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: any hash will do, but all processes need the same
  for (const char character : boot) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

std::string to_text(in_addr address) {
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &address, text, sizeof text);
  return text;
}

}  // namespace duet::libfabric
