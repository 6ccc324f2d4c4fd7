#pragma once

#include <netinet/in.h>

#include <string>
#include <vector>

namespace duet::libfabric {

/// One IPv4 address of this machine (of this network namespace, to be exact).
struct Interface {
  std::string name;
  in_addr address{};
  bool loopback = false;
  bool up = false;
};

/// Throws FailureError when the system does not tell.
std::vector<Interface> list_interfaces();

/// "lo (127.0.0.1), eth0 (10.0.0.7)"; "none" when there is none.
std::string describe(const std::vector<Interface>& interfaces);

/// All of 127.0.0.0/8.
bool is_loopback(in_addr address);

/// What tells whether two processes share a loopback interface: the same text for all processes of this boot
/// of this machine in this network namespace, another one everywhere else. 16 hexadecimal digits.
std::string machine_identity();

std::string to_text(in_addr address);

}  // namespace duet::libfabric
