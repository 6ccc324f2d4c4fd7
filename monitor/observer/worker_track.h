#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "duet/observer/snapshot.h"
#include "rate_window.h"
#include "telemetry/frame.h"

namespace duet::observer {

/// What is remembered of one rank beside what is shown of it: its lives, its sequence, its counters' windows.
/// Writes the Worker that it is handed. Pure: times are handed in.
class WorkerTrack {
 public:
  explicit WorkerTrack(double rate_window);

  /// What a frame is, by its incarnation and sequence.
  enum class Verdict {
    kNew,        ///< the next one
    kFirst,      ///< the first of all
    kRestarted,  ///< the first of another incarnation: counters begin anew
    kSeen,       ///< had it already: subscribed to twice under two names, or swapped on the way
    kFormer,     ///< of a life that is over
  };
  struct Arrived {
    Verdict verdict = Verdict::kNew;
    std::uint64_t lost = 0;  ///< frames missing right before it
    /// Seconds by which the worker's wall clock jumped; 0: it did not.
    double clock_jump = 0.0;
  };
  Arrived arrive(double arrival, const telemetry::Frame& frame, Worker& worker);

  void apply(double arrival, double time, const telemetry::FrameState& state, Worker& worker);

  /// A time on the worker's clock, on ours; never after `arrival`.
  double local(double time, double arrival) const;

  std::uint64_t losses_reported() const { return losses_; }
  double mean_step() const { return mean_step_; }  ///< seconds; 0: not known

 private:
  static constexpr std::size_t kLivesRemembered = 16;
  static constexpr double kClockJump = 2.0;

  void restart();

  static constexpr double kLongWindow = 60.0;

  RateWindow steps_, long_steps_, pairings_, sent_, received_, waiting_, partner_waiting_;
  std::vector<Incarnation> former_;
  std::uint64_t sequence_ = 0;
  double frame_time_ = 0.0;
  std::optional<double> offset_;  ///< the worker's clock − ours, at the smallest delay
  double mean_step_ = 0.0;
  std::uint64_t losses_ = 0;
};

}  // namespace duet::observer
