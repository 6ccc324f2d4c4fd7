#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "transport/transport.h"

namespace duet::transport {

/// The counters that plugins increment through duet_services::count, one set for the process. Thread-safe.
std::map<std::string, std::uint64_t> counters();

/// "timed out", "peer lost", …: a status as a word in a message.
const char* status_name(duet_status status);

}  // namespace duet::transport
