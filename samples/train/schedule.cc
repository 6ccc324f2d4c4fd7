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

Schedule cifar10_schedule(double lr, int world_size, double batch_size, bool constant) {
  Schedule schedule;
  schedule.start = lr;
  schedule.peak = std::max(lr, lr * batch_size * world_size / 256.0);
  schedule.constant = constant;
  return schedule;
}

Schedule imagenet_schedule(double lr, int world_size, double batch_size, bool constant) {
  Schedule schedule = cifar10_schedule(lr, world_size, batch_size, constant);
  schedule.warmup = 5.0 / 90.0;
  schedule.first_drop = 30.0 / 90.0;
  schedule.second_drop = 60.0 / 90.0;
  schedule.third_drop = 80.0 / 90.0;
  return schedule;
}

}  // namespace samples
