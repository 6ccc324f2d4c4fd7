#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace duet::dynamics {

/// Says how much of the paper's time has passed between two meetings of one worker, in gradient steps. Pure:
/// all times are handed in (seconds, monotonic, any origin). Not thread-safe.
class MeetingClock {
 public:
  virtual ~MeetingClock() = default;
  /// A gradient step of this worker ended at `now`.
  void on_step(double now) { on_steps(now, 1); }
  /// `count` ≥ 1 steps since the last call, the last of them at `now`.
  virtual void on_steps(double now, std::uint64_t count) = 0;
  /// A meeting begins at `now`: returns dt ≥ 0 since the previous one, and starts the next interval. The
  /// first: 0.
  virtual double on_meeting(double now) = 0;
  /// The graph changed and with it λ_i > 0; what was learnt about intervals stays.
  virtual void set_rate(double rate) = 0;
};

/// "adaptive": dt = min(Δt / mean interval, 2) / λ_i; the k-th interval enters the mean with weight max(0.03,
/// 1/k), and as at most 4 × the mean, before it is divided by it. "wall" (the paper's): Δt / own mean step
/// time, a mean of the same kind, without a limit; 0 until two steps have ended. "meetings": 1/λ_i, always,
/// the first included. Time that goes backwards counts as standing still. rate: λ_i. Throws
/// ConfigurationError for any other name, and for a rate that is not positive and finite.
std::unique_ptr<MeetingClock> make_clock(std::string_view name, double rate);

}  // namespace duet::dynamics
