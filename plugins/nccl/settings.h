#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

#include "duet/plugin/transport.h"

namespace duet::nccl {

/// What probe() and open_context() understand; README.md explains each.
struct Settings {
  std::string library;       ///< of NCCL; empty: libnccl.so.2 by the usual search
  std::string cuda_library;  ///< the driver's; empty: libcuda.so.1
  std::optional<int> device;
  std::string interface = "lo";  ///< the interface's name
  in_addr address{};             ///< its IPv4 address
  bool loopback = true;
  int communicators = 4;
  int ctas = 4;
  std::uint64_t abort_timeout_ns = 5'000'000'000;
  bool integrity = true;  ///< the host need not check what arrives

  /// Throws FailureError (DUET_MISUSE) that names the setting.
  static Settings parse(const duet_setting* settings, std::uint32_t count);
};

}  // namespace duet::nccl
