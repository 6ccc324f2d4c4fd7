#include "pairing/pace.h"

#include <algorithm>

namespace duet::pairing {

namespace {
constexpr double kLeastWeight = 0.03;
constexpr double kOutlier = 4.0;
}  // namespace

void RunningMean::add(double value) {
  ++count_;
  if (count_ > 1) value = std::min(value, kOutlier * mean_);
  mean_ += std::max(kLeastWeight, 1.0 / static_cast<double>(count_)) * (value - mean_);
}

void IntervalMean::event(double now) {
  if (at_last_ > 0 && now <= last_) {
    ++at_last_;
    return;
  }
  // How many come with this one is not known yet; as many as came last time is the best guess.
  if (at_last_ > 0) mean_.add((now - last_) / at_last_);
  last_ = now;
  at_last_ = 1;
}

}  // namespace duet::pairing
