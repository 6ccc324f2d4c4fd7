#pragma once

#include <algorithm>
#include <cstddef>

namespace duet::telemetry {

/// When a worker tells its header: every second, and at once when there is news in it, or a new subscriber,
/// who knows nothing yet. But each of n headers names n members, and a monitor hears all of them: the heavier
/// a header, the longer the pause after it, so that what a monitor gets grows with n, not with its square.
/// (Of 1,024 workers on a ring: some 150 kB every nine seconds, every two while there is news.) Pure;
/// seconds, monotonic.
class HeaderSchedule {
 public:
  static constexpr double kInterval = 1.0;
  static constexpr double kBytesPerSecond = 16384.0;
  static constexpr double kBytesPerSecondOfNews = 65536.0;

  void news() { news_ = true; }
  bool due(double now) const { return now >= (news_ ? soonest_ : next_); }
  void told(double now, std::size_t bytes) {
    const auto weight = static_cast<double>(bytes);
    next_ = now + std::max(kInterval, weight / kBytesPerSecond);
    soonest_ = now + weight / kBytesPerSecondOfNews;
    news_ = false;
  }

 private:
  double next_ = 0.0;
  double soonest_ = 0.0;
  bool news_ = false;
};

}  // namespace duet::telemetry
