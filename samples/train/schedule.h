#pragma once

namespace samples {

/// The learning rate as a function of the run's progress alone, the samples of all workers ÷ the goal:
/// workers of different speed are at the same learning rate at the same time. Pure.
struct Schedule {
  double start = 0.0;  ///< at the very beginning
  double peak = 0.0;   ///< after the warm-up
  double warmup = 0.05;
  double first_drop = 0.5;
  double second_drop = 0.75;
  double third_drop = 2.0;  ///< beyond 1: there is none
  double factor = 0.1;      ///< at each drop
  bool constant = false;    ///< `peak` throughout

  /// progress: 0 … 1; anything beyond counts as 0 or 1.
  double learning_rate(double progress) const;
};

/// lr 10 % … 100 % in the warm-up.
Schedule digits_schedule(double lr, bool constant);
/// Goyal et al. 2017: in 5 of 100 epochs from lr up to lr × scale, the samples that all workers take in one
/// step ÷ 256. Never below lr: one or two workers with batches of 128 stay at lr, instead of "warming up"
/// downwards.
Schedule cifar10_schedule(double lr, double scale, bool constant);
/// For ImageNet's 90 epochs: 5 of warm-up, drops after 30, 60 and 80. lr × scale also where that is less than
/// lr, as the paper has it; then without a warm-up.
Schedule imagenet_schedule(double lr, double scale, bool constant);

}  // namespace samples
