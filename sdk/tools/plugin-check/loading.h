#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "plugin-check/verdict.h"
#include "transport/transport.h"

namespace duet::plugin_check {

/// What a plugin says of itself.
struct Identity {
  std::string name, version, abi;
  bool viable = false;
  std::string reason;
  std::uint64_t capabilities = 0;
  std::uint64_t largest_message = 0;
};

/// Loads the plugin, and asks its entry point and its probe, each time in a process of its own. The identity
/// counts when no verdict is kBroken.
std::vector<Verdict> check_loading(const std::string& path, const transport::Settings& settings,
                                   std::chrono::milliseconds patience, Identity* identity);

}  // namespace duet::plugin_check
