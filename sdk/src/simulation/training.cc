#include "simulation/training.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "duet/algorithm.h"
#include "duet/error.h"
#include "simulation/fleet.h"
#include "simulation/trainers.h"

namespace duet::simulation {

namespace {

constexpr double kDiverged = 1e4;

class Training final : public Fleet {
 public:
  Training(const Topology& topology, const TrainingOptions& options)
      : Fleet(topology, options), trainers_(options, topology.workers()) {}

  void on_step(double now, int worker) override {
    trainers_.compute(worker, population());
    Fleet::on_step(now, worker);  // takes delivery
    trainers_.update(worker, population());
  }
  const Trainers& trainers() const { return trainers_; }

 private:
  Trainers trainers_;
};

// Beyond that a curve is a mistake, and fills the memory.
constexpr double kMostRecords = 1e6;

// A step algorithm has no meetings: what says how they are would be ignored, and the run taken for another.
void check_step_algorithm(const TrainingOptions& options) {
  if (algorithm_kind(options.algorithm) != AlgorithmKind::kStep) return;
  const Scenario usual;
  const std::pair<bool, const char*> of_meetings[] = {
      {options.clock != usual.clock, "--clock"},
      {options.policy != usual.policy, "--pairing"},
      {options.delivered != usual.delivered, "--delivered"},
      {options.constants != usual.constants, "--constants"},
      {options.eta_factor != usual.eta_factor, "--eta-factor"},
      {options.alpha_tilde_factor != usual.alpha_tilde_factor, "--alpha-tilde-factor"},
      {options.deterministic_budget != usual.deterministic_budget, "--deterministic-budget"},
      {options.loss != usual.loss, "--loss"},
      {options.torn != usual.torn, "--torn"},
  };
  for (const auto& [given, option] : of_meetings)
    if (given)
      throw ConfigurationError(std::string(option) + " is of meetings; " + options.algorithm + " has none");
  if (options.wire != usual.wire)
    throw ConfigurationError("--wire: " + options.algorithm + " is simulated in float32 only");
}

void check(const Topology& topology, const TrainingOptions& options) {
  checked(options, topology);
  check_step_algorithm(options);
  const auto positive = [](double value, const char* name) {
    if (!(value > 0.0) || !std::isfinite(value))
      throw ConfigurationError(std::string(name) + " is " + std::to_string(value) + "; it must be > 0");
  };
  positive(options.learning_rate, "the learning rate");
  positive(options.length, "the length of training");
  positive(options.record_every, "the time between records");
  positive(options.rate, "the rate");
  if (options.length / options.record_every > kMostRecords)
    throw ConfigurationError("a record every " + std::to_string(options.record_every) + " of " +
                             std::to_string(options.length) + " steps is more than a million of them");
  if (!(options.target_loss >= 0.0) || !std::isfinite(options.target_loss))
    throw ConfigurationError("the target loss is " + std::to_string(options.target_loss) +
                             "; it must be > 0, or 0 for none");
  if (options.stop_at_target && options.target_loss <= 0.0)
    throw ConfigurationError("to stop at the target there must be a target loss > 0");
  if (!(options.momentum >= 0.0 && options.momentum < 1.0))
    throw ConfigurationError("momentum " + std::to_string(options.momentum) + " is not in [0, 1)");
  if (topology.workers() < 2)
    throw ConfigurationError("training together needs at least 2 workers; one alone has nobody to meet");
  if (options.unlimited_budget)
    throw ConfigurationError("always available means no training; use it with gossip");
}

/// Of the second half, in which the start is forgotten.
template <class Value>
double mean_of_second_half(const std::vector<TrainingPoint>& curve, const Value& value) {
  double sum = 0.0;
  std::size_t count = 0;
  for (std::size_t k = curve.size() / 2; k < curve.size(); ++k, ++count)
    sum += value(curve[k]);
  return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

}  // namespace

double TrainingResult::consensus() const {
  return std::sqrt(mean_of_second_half(
      curve, [](const TrainingPoint& point) { return point.consensus * point.consensus; }));
}

double TrainingResult::loss() const {
  return mean_of_second_half(curve, [](const TrainingPoint& point) { return point.loss; });
}

Trainers::Trainers(const TrainingOptions& options, int workers)
    : objective_(make_objective(options.objective, workers, options.dimension, options.seed)),
      dimension_(options.dimension),
      learning_rate_(static_cast<float>(options.learning_rate)),
      momentum_(static_cast<float>(options.momentum)),
      velocity_(static_cast<std::size_t>(workers) * dimension_),
      gradient_(dimension_),
      random_(stream(options.seed, Purpose::kGradients)) {}

void Trainers::compute(int worker, const Population& population) {
  objective_->gradient(worker, population.x(worker), gradient_.data(), random_);
}

void Trainers::update(int worker, Population& population) {
  float* const x = population.x(worker);
  float* const velocity = velocity_.data() + static_cast<std::size_t>(worker) * dimension_;
  for (std::size_t k = 0; k < dimension_; ++k) {
    velocity[k] = momentum_ * velocity[k] + gradient_[k];
    x[k] -= learning_rate_ * velocity[k];
  }
  ++steps_;
}

bool Record::add(double seconds, double steps, double meetings, const Population& population,
                 const Trainers& trainers) {
  TrainingPoint point;
  result_.members = population.members();
  point.seconds = seconds;
  point.steps = steps;
  point.meetings = meetings;
  point.consensus = std::sqrt(population.squared_distance());
  point.loss = trainers.loss(population.mean_invariant());
  result_.curve.push_back(point);
  result_.diverged = !(point.consensus < kDiverged);
  if (options_.target_loss > 0.0 && result_.seconds_to_target < 0.0 && point.loss <= options_.target_loss)
    result_.seconds_to_target = seconds;
  return !result_.diverged && !(options_.stop_at_target && result_.seconds_to_target >= 0.0);
}

TrainingResult run_training(const Topology& topology, const TrainingOptions& options,
                            const Progress& progress) {
  check(topology, options);
  if (algorithm_kind(options.algorithm) == AlgorithmKind::kStep)
    return run_synchronous(topology, options, progress);
  Training training(topology, options);
  PairingRun run(training.run_options(), &training);
  training.plan_crashes(run, options.length);
  Record record(options);
  const double workers = topology.workers();
  // The last record is at the very end.
  const double records = std::ceil(options.length / options.record_every);
  for (double k = 0.0; k <= records; ++k) {
    const double now = std::min(k * options.record_every, options.length);
    run.run_until(now);
    const double steps = static_cast<double>(training.trainers().steps()) / workers;
    if (!record.add(now, steps, training.meetings_each(run), training.population(), training.trainers()))
      break;
    if (progress) progress(now / options.length);
  }
  return record.take();
}

}  // namespace duet::simulation
