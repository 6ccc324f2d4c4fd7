#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "duet/transports.h"

namespace duet::info {

struct ProbeRequest {
  std::vector<std::string> plugin_path;
  std::string transport, transport_settings;  ///< as discover_transports() takes them
  std::chrono::milliseconds patience{};       ///< for each plugin
};

/// discover_transports() in child processes: a plugin that crashes, ends the process or hangs is listed with
/// what it did, and the others are looked at all the same.
std::vector<TransportCandidate> probe_transports(const ProbeRequest& request);

}  // namespace duet::info
