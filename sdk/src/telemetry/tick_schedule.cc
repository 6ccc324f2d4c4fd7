#include "telemetry/tick_schedule.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace duet::telemetry {
namespace {

/// A sample must fit with so much to spare: what takes nearly all of the time is late every now and then.
constexpr double kSpare = 1.25;
/// Samples in a row that say that the stride is too long.
constexpr int kConvinced = 8;

}  // namespace

void TickSchedule::took(double ticks) {
  const double most = static_cast<double>(kLargestStride);
  const double wanted = std::clamp(std::ceil(ticks * kSpare), 1.0, most);
  const std::uint64_t needed = std::bit_ceil(static_cast<std::uint64_t>(wanted));
  if (needed >= stride_) {
    stride_ = needed;
    shorter_ = 0;
  } else if (++shorter_ >= kConvinced) {
    stride_ /= 2;
    shorter_ = 0;
  }
}

}  // namespace duet::telemetry
