#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.h"
#include "transport/transport.h"

namespace duet::transport {

/// What a worker wants of transports.
struct Wanted {
  std::string transport;  ///< as Options::transport; "auto": every one that can be used here
  std::string settings;   ///< as Options::transport_settings; not with "auto"
  std::vector<std::string> plugin_path;
  std::string faults;
  std::string
      interface;  ///< address of this machine's at which others reach this worker; empty: loopback will do
  bool own_process = false;  ///< all members are threads of this process
  /// Where this worker's parameters are, or some of them; null: all are in host memory, and a transport that
  /// moves no other is no choice.
  std::shared_ptr<device::Device> device;
};

/// One transport of those that a process has found, as far as the order among them goes.
struct Standing {
  std::string name;
  std::uint64_t capabilities = 0;
};
/// "auto"'s order, the best first: transports that reach other machines, then those of this machine alone;
/// by name where these are equal.
bool stands_before(const Standing& first, const Standing& second);

/// Opens what is wanted: one context, or with "auto" one of each transport that can be used, the best first.
/// Experimental ones are left out, and so is the in-process one unless all members are threads of this
/// process. A transport that moves CUDA memory only is told the device, unless its settings name one; then
/// that one is used (Context). Throws TransportError with a report of every candidate and why it lost when
/// there is none (the losers' reasons are logged, too, when there is one), and ConfigurationError for
/// settings that cannot be.
std::vector<std::unique_ptr<Context>> open_contexts(const Wanted& wanted);

}  // namespace duet::transport
