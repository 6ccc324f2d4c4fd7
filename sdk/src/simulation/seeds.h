#pragma once

#include <functional>

namespace duet::simulation {

/// Calls run(k) for k = 0 … count − 1, `jobs` at a time (0: as many as there are processors, which is also
/// the most), each in one thread. The first exception (also that there is no further thread to be had) is
/// thrown on, after those under way have ended; no further ones are begun then.
void run_all(int count, int jobs, const std::function<void(int)>& run);

}  // namespace duet::simulation
