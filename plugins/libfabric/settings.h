#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "duet/plugin/transport.h"

namespace duet::libfabric {

/// What probe() and open_context() understand:
///   provider    a libfabric provider with connection-oriented endpoints. Default: FI_PROVIDER, else "tcp".
///   interface   a network interface ("eth0") or one of its IPv4 addresses. Default: "lo".
///   port_range  "FIRST-LAST" or one port, for the listening socket. Default: any free port.
struct Settings {
  std::string provider;
  std::string interface;  ///< the interface's name
  in_addr address{};      ///< its IPv4 address
  bool loopback = true;
  std::uint16_t first_port = 0;  ///< 0: any
  std::uint16_t last_port = 0;

  /// Throws FailureError (DUET_MISUSE) that names the setting.
  static Settings parse(const duet_setting* settings, std::uint32_t count);
  std::string describe() const;  ///< "tcp over lo (127.0.0.1)"
};

/// The only provider that is held to the contract; the others are offered as experimental.
inline constexpr char kTestedProvider[] = "tcp";

}  // namespace duet::libfabric
