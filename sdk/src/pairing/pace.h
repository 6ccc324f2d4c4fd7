#pragma once

#include <cstdint>

namespace duet::pairing {

/// Mean of a stream of durations that forgets: the k-th enters with weight max(0.03, 1/k), and as at most 4 ×
/// the mean, so that one long pause does not stretch it. The same rule as the meeting clock's
/// (dynamics/clock.h).
class RunningMean {
 public:
  void add(double value);
  double value() const { return mean_; }  ///< 0 before the first
  bool known() const { return count_ > 0; }

 private:
  double mean_ = 0.0;
  std::uint64_t count_ = 0;
};

/// Mean time between the events of a stream, from their times. Events that were seen at once (steps that were
/// made while nobody looked) share the time since the ones before.
class IntervalMean {
 public:
  void event(double now);
  const RunningMean& mean() const { return mean_; }

 private:
  RunningMean mean_;
  double last_ = 0.0;
  int at_last_ = 0;
};

/// How fast this worker's life goes by; all in seconds.
struct Pace {
  IntervalMean meetings;  ///< begin to begin
  IntervalMean steps;
  RunningMean duration;     ///< of complete meetings, first block to end
  RunningMean answer_time;  ///< from an offer to its answer
};

}  // namespace duet::pairing
