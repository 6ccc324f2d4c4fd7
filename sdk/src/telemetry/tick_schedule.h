#pragma once

#include <cstdint>

namespace duet::telemetry {

/// At which of the common ticks a worker samples its position. Every one of them, as long as a sample is
/// there before the next tick. A large model, or a device that is some steps behind its trainer, takes
/// longer: then every second one, every fourth, … . Such ticks lie in each other, so that workers of
/// different pace still have ticks in common; only those give a consensus distance. Pure.
class TickSchedule {
 public:
  static constexpr std::uint64_t kLargestStride = 64;

  std::uint64_t stride() const { return stride_; }
  bool due(std::uint64_t tick) const { return tick % stride_ == 0; }
  /// A sample took so many ticks of time (a fraction, too), or was given up after so many.
  void took(double ticks);

 private:
  std::uint64_t stride_ = 1;
  int shorter_ = 0;  // samples in a row that half the stride would have done for
};

}  // namespace duet::telemetry
