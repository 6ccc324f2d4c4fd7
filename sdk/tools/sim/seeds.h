#pragma once

#include <functional>

namespace duet::sim {

/// Processors that this process may use.
int usable_processors();

/// Calls run(k) for k = 0 … count − 1, `jobs` at a time, each in one thread. The first exception is thrown
/// on, after those under way have ended; no further ones are begun then.
void run_all(int count, int jobs, const std::function<void(int)>& run);

}  // namespace duet::sim
