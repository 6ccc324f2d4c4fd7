#pragma once

#include <chrono>

namespace duet::support {

/// Unix time in seconds, for what is told to others; durations are measured with the steady clock.
inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace duet::support
