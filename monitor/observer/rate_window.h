#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace duet::observer {

/// The rate of a counter over the last seconds, from a few of its values. What it keeps does not depend on
/// how often it is told. A counter that falls was restarted: what was known of it is forgotten. Pure.
class RateWindow {
 public:
  explicit RateWindow(double seconds, std::size_t points = 8);

  /// The counter had this value at `time`. A time before the last one is left out; one far before it (a clock
  /// that was set back) restarts the window.
  void add(double time, std::uint64_t count);
  void restart() { points_.clear(); }

  struct Increase {
    double count = 0.0;
    double seconds = 0.0;
  };
  /// nullopt until two values are known that lie apart in time.
  std::optional<Increase> increase() const;
  std::optional<double> rate() const;

 private:
  struct Point {
    double time;
    std::uint64_t count;
  };
  double seconds_;
  double spacing_;
  // Oldest first; the last one moves on until it is `spacing_` away from the one before.
  std::vector<Point> points_;
};

}  // namespace duet::observer
