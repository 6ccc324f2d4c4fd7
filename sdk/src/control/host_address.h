#pragma once

#include <string>

/// IPv4 addresses of hosts, as dotted text.
namespace duet::control {

/// Of a name or of such an address itself; empty when there is none.
std::string resolve_host(const std::string& host);

bool is_loopback(const std::string& address);
bool is_any(const std::string& address);  ///< 0.0.0.0

/// This machine's own address on the way to `host`; empty host, or no way to it: on the way to the world.
/// Loopback when the machine has no other.
std::string own_address_toward(const std::string& host);

}  // namespace duet::control
