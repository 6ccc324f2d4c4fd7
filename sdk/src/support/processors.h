#pragma once

#include <sched.h>

namespace duet::support {

/// Processors that this process may use, which in a container are fewer than the machine has.
inline int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}

}  // namespace duet::support
