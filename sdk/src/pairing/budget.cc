#include "pairing/budget.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace duet::pairing {

namespace {
// Fifteen times 1/15 is not quite one; what is missing is rounding, not budget.
constexpr double kRounding = 1e-9;
}  // namespace

Budget::Budget(double rate, bool deterministic, bool unlimited)
    : deterministic_(deterministic), unlimited_(unlimited) {
  set_rate(rate);
}

void Budget::on_step(Random& random) {
  if (unlimited_ || closed_ || rate_ <= 0.0) return;
  value_ += deterministic_ ? rate_ : std::poisson_distribution<int>(rate_)(random);
  shed_surplus();
}

bool Budget::has_one() const {
  return !closed_ && (unlimited_ || value_ >= 1.0 - kRounding);
}

void Budget::spend() {
  if (!unlimited_) value_ = std::max(0.0, value_ - 1.0);
}

void Budget::set_rate(double rate) {
  rate_ = rate;
  cap_ = std::max(3.0, std::ceil(3.0 * rate - kRounding));
  shed_surplus();
}

void Budget::close() {
  closed_ = true;
  value_ = 0.0;
}

double Budget::value() const {
  if (closed_) return 0.0;
  return unlimited_ ? std::numeric_limits<double>::infinity() : value_;
}

std::uint64_t Budget::shed() const {
  return static_cast<std::uint64_t>(shed_ + kRounding);
}

void Budget::shed_surplus() {
  if (value_ <= cap_) return;
  shed_ += value_ - cap_;
  value_ = cap_;
}

}  // namespace duet::pairing
