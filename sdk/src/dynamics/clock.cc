#include "dynamics/clock.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "duet/error.h"

namespace duet::dynamics {
namespace {

void check_rate(double rate) {
  if (!(rate > 0.0) || !std::isfinite(rate)) {
    throw ConfigurationError("a meeting clock needs this worker's meeting rate, positive and finite, not " +
                             std::to_string(rate) + "; a worker without neighbours needs no clock");
  }
}

/// Exponential mean of intervals that starts as a plain one: the k-th enters with weight max(0.03, 1/k), and
/// as at most four times the mean, so that one long pause (a checkpoint, an evaluation) does not pass for
/// slowness.
class MeanInterval {
 public:
  void add(double interval) {
    ++count_;
    // A mean of 0 (everything so far in one instant) limits nothing: it could never grow again.
    if (mean_ > 0.0) interval = std::min(interval, kLongest * mean_);
    const double weight = std::max(kSmallestWeight, 1.0 / static_cast<double>(count_));
    mean_ += weight * (interval - mean_);
  }
  double mean() const { return mean_; }  // 0: nothing is known

 private:
  static constexpr double kLongest = 4.0;
  static constexpr double kSmallestWeight = 0.03;

  double mean_ = 0.0;
  long long count_ = 0;
};

/// Time since the last mark; nothing the first time.
class Marks {
 public:
  std::optional<double> mark(double now) {
    if (!last_) {
      last_ = now;
      return std::nullopt;
    }
    const double interval = std::max(0.0, now - *last_);
    last_ = now;
    return interval;
  }

 private:
  std::optional<double> last_;
};

/// Stable however rarely meetings come: an interval counts as 1/λ_i on average, and as 2/λ_i at most.
class AdaptiveClock final : public MeetingClock {
 public:
  explicit AdaptiveClock(double rate) : rate_(rate) { check_rate(rate); }
  void on_steps(double, std::uint64_t) override {}
  double on_meeting(double now) override {
    const std::optional<double> interval = meetings_.mark(now);
    if (!interval) return 0.0;
    mean_.add(*interval);
    if (mean_.mean() == 0.0) return 0.0;
    return std::min(*interval / mean_.mean(), kLongest) / rate_;
  }
  void set_rate(double rate) override {
    check_rate(rate);
    rate_ = rate;
  }

 private:
  static constexpr double kLongest = 2.0;

  double rate_;
  Marks meetings_;
  MeanInterval mean_;
};

/// The paper's clock; unstable when meetings are rarer than assumed, which is why it is not the default.
class WallClock final : public MeetingClock {
 public:
  explicit WallClock(double rate) { check_rate(rate); }
  void on_steps(double now, std::uint64_t count) override {
    if (const std::optional<double> interval = steps_.mark(now))
      step_.add(*interval / static_cast<double>(count));
  }
  double on_meeting(double now) override {
    const std::optional<double> interval = meetings_.mark(now);
    return interval && step_.mean() > 0.0 ? *interval / step_.mean() : 0.0;
  }
  void set_rate(double rate) override { check_rate(rate); }

 private:
  Marks steps_;
  Marks meetings_;
  MeanInterval step_;
};

class MeetingCountClock final : public MeetingClock {
 public:
  explicit MeetingCountClock(double rate) : rate_(rate) { check_rate(rate); }
  void on_steps(double, std::uint64_t) override {}
  double on_meeting(double) override { return 1.0 / rate_; }
  void set_rate(double rate) override {
    check_rate(rate);
    rate_ = rate;
  }

 private:
  double rate_;
};

}  // namespace

std::unique_ptr<MeetingClock> make_clock(std::string_view name, double rate) {
  if (name == "adaptive") return std::make_unique<AdaptiveClock>(rate);
  if (name == "wall") return std::make_unique<WallClock>(rate);
  if (name == "meetings") return std::make_unique<MeetingCountClock>(rate);
  throw ConfigurationError("clock \"" + std::string(name) +
                           "\" does not exist; choose adaptive, wall or meetings");
}

}  // namespace duet::dynamics
