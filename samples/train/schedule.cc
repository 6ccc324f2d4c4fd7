#include "schedule.h"

#include <algorithm>

namespace samples {

double Schedule::learning_rate(double progress) const {
  if (constant) return peak;
  if (progress <= 0.0) return start;
  if (progress < warmup) return start + (peak - start) * progress / warmup;
  double rate = peak;
  if (progress >= first_drop) rate *= factor;
  if (progress >= second_drop) rate *= factor;
  if (progress >= third_drop) rate *= factor;
  return rate;
}

Schedule digits_schedule(double lr, bool constant) {
  Schedule schedule;
  schedule.start = 0.1 * lr;
  schedule.peak = lr;
  schedule.constant = constant;
  return schedule;
}

Schedule cifar10_schedule(double lr, double scale, bool constant) {
  Schedule schedule;
  schedule.start = lr;
  schedule.peak = lr * std::max(1.0, scale);
  schedule.constant = constant;
  return schedule;
}

Schedule imagenet_schedule(double lr, double scale, bool constant) {
  Schedule schedule;
  schedule.peak = lr * scale;
  schedule.start = std::min(lr, schedule.peak);
  schedule.constant = constant;
  schedule.warmup = 5.0 / 90.0;
  schedule.first_drop = 30.0 / 90.0;
  schedule.second_drop = 60.0 / 90.0;
  schedule.third_drop = 80.0 / 90.0;
  return schedule;
}

}  // namespace samples
