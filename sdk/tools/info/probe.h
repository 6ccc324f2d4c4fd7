#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "duet/transports.h"

namespace duet::info {

/// discover_transports() in child processes: a plugin that crashes, ends the process or hangs is listed with
/// what it did, and the others are looked at all the same. patience: for each plugin.
std::vector<TransportCandidate> probe_transports(const std::vector<std::string>& plugin_path,
                                                 std::chrono::milliseconds patience);

}  // namespace duet::info
