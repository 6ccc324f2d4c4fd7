#include "dashboard/data/aggregate.h"

#include <algorithm>
#include <cmath>

namespace duet::dashboard {

Aggregate::Aggregate(double interval, double reach, std::size_t capacity)
    : mean(capacity), low(capacity), high(capacity), interval_(interval), reach_(reach) {}

void Aggregate::add(double time, int rank, double value) {
  if (rank < 0 || !std::isfinite(value) || !std::isfinite(time)) return;
  advance(time);
  if (static_cast<std::size_t>(rank) >= newest_.size()) newest_.resize(static_cast<std::size_t>(rank) + 1);
  newest_[static_cast<std::size_t>(rank)] = {time, value, true};
  if (!started_) {
    started_ = true;
    due_ = time + interval_;
  }
}

void Aggregate::advance(double time) {
  if (!started_ || time < due_) return;
  close(due_);
  due_ += interval_;
  // A long silence is one step, not thousands.
  if (time >= due_) due_ = time + interval_;
}

void Aggregate::close(double time) {
  double sum = 0.0;
  double least = HUGE_VAL;
  double most = -HUGE_VAL;
  int count = 0;
  for (const Newest& newest : newest_) {
    if (!newest.known || newest.time < time - reach_) continue;
    sum += newest.value;
    least = std::min(least, newest.value);
    most = std::max(most, newest.value);
    ++count;
  }
  if (count == 0) return;
  mean.append(time, sum / count);
  low.append(time, least);
  high.append(time, most);
}

}  // namespace duet::dashboard
