#pragma once

#include <memory>
#include <vector>

#include "simulation/population.h"
#include "simulation/training.h"

namespace duet::simulation {

/// The optimizers of all workers: SGD with momentum on the objective. A step uses the gradient at the model
/// that the worker had while it computed, which is the one after its last update, and applies it to what it
/// has after delivery, as the real worker does.
class Trainers {
 public:
  Trainers(const TrainingOptions& options, int workers);

  /// Every worker begins at the same point, the origin: the population's initial state.
  void compute(int worker, const Population& population);
  void update(int worker, Population& population);

  std::uint64_t steps() const { return steps_; }
  double loss(const std::vector<double>& x) const { return objective_->loss(x); }

 private:
  std::unique_ptr<Objective> objective_;
  std::size_t dimension_;
  float learning_rate_;
  float momentum_;
  std::vector<float> velocity_;
  std::vector<float> gradient_;
  Random random_;
  std::uint64_t steps_ = 0;
};

/// Writes down how training goes, and when it must end.
class Record {
 public:
  explicit Record(const TrainingOptions& options) : options_(options) {}
  /// False: nothing more is to be learnt (diverged, or the target reached).
  bool add(double seconds, double steps, double meetings, const Population& population,
           const Trainers& trainers);
  TrainingResult take() { return std::move(result_); }

 private:
  const TrainingOptions& options_;
  TrainingResult result_;
};

/// The synchronous half of run_training().
TrainingResult run_synchronous(const Topology& topology, const TrainingOptions& options,
                               const Progress& progress);

}  // namespace duet::simulation
