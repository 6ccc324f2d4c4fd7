#include <iostream>
#include <vector>

#include "duet/version.h"
#include "sim/commands.h"
#include "sim/progress.h"
#include "sim/report.h"
#include "simulation/seeds.h"

namespace duet::sim {

namespace {

Json as_json(std::uint64_t seed, const simulation::TrainingResult& result) {
  const simulation::TrainingPoint& last = result.curve.back();
  Json json;
  json["seed"] = seed;
  json["diverged"] = result.diverged;
  json["members"] = result.members;
  json["consensus"] = number(result.consensus());
  json["loss"] = number(result.loss());
  json["last_consensus"] = number(last.consensus);
  json["last_loss"] = number(last.loss);
  json["seconds"] = last.seconds;
  json["steps"] = last.steps;
  json["meetings"] = last.meetings;
  json["seconds_to_target"] = result.seconds_to_target >= 0.0 ? Json(result.seconds_to_target) : Json();
  Json curve = Json::array();
  for (const simulation::TrainingPoint& point : result.curve)
    curve.push_back(
        {point.seconds, point.steps, point.meetings, number(point.consensus), number(point.loss)});
  json["curve"] = std::move(curve);
  return json;
}

}  // namespace

void run(TrainCommand command) {
  const Common& common = command.common;
  const Topology topology = prepare(common, command.options);
  command.options.rate = common.rate;
  const Report report(common.report);
  const auto count = static_cast<std::size_t>(common.seeds);
  std::vector<Json> runs(count);
  {
    ProgressBar bar(common.seeds);
    simulation::run_all(common.seeds, common.jobs, [&](int k) {
      simulation::TrainingOptions options = command.options;
      options.seed = common.first_seed + static_cast<std::uint64_t>(k);
      runs[static_cast<std::size_t>(k)] = as_json(
          options.seed, simulation::run_training(topology, options, [&](double done) { bar.set(k, done); }));
      bar.set(k, 1.0);
    });
  }

  int diverged = 0;
  std::vector<double> consensus, loss, target, meetings, members;
  for (const Json& run : runs) {
    diverged += run["diverged"].get<bool>() ? 1 : 0;
    meetings.push_back(run["meetings"].get<double>());
    members.push_back(run["members"].get<double>());
    if (run["seconds_to_target"].is_number()) target.push_back(run["seconds_to_target"].get<double>());
    if (run["diverged"].get<bool>()) continue;
    consensus.push_back(run["consensus"].get<double>());
    loss.push_back(run["loss"].get<double>());
  }
  Json settings = settings_of("duet-sim train " DUET_VERSION_STRING, common, command.options);
  const simulation::ObjectiveOptions& objective = command.options.objective;
  settings["objective"] = objective.kind;
  settings["heterogeneity"] = objective.heterogeneity;
  settings["noise"] = objective.noise;
  settings["curvature"] = objective.curvature;
  settings["condition"] = objective.condition;
  settings["batch"] = objective.batch;
  settings["weight_decay"] = objective.weight_decay;
  settings["learning_rate"] = command.options.learning_rate;
  settings["momentum"] = command.options.momentum;
  settings["steps"] = command.options.length;
  settings["record_every"] = command.options.record_every;
  settings["target_loss"] = command.options.target_loss;
  settings["stop_at_target"] = command.options.stop_at_target;
  settings["curve"] = {"seconds", "steps", "meetings", "consensus", "loss"};
  Json summary;
  summary["runs"] = common.seeds;
  summary["diverged"] = diverged;
  summary["members"] = spread_of(members).mean;
  summary["consensus"] = spread_of(consensus).mean;
  summary["consensus_deviation"] = spread_of(consensus).deviation;
  summary["loss"] = spread_of(loss).mean;
  summary["loss_deviation"] = spread_of(loss).deviation;
  summary["meetings"] = spread_of(meetings).mean;
  summary["reached_target"] = target.size();
  summary["seconds_to_target"] = target.empty() ? Json() : Json(spread_of(target).mean);
  report.write(settings, runs, summary);

  std::cout << common.graph << " of " << common.workers << ", rate " << common.rate << ", "
            << command.options.algorithm << ", " << command.options.objective.kind << "; " << common.seeds
            << " runs of " << command.options.length << " steps";
  if (diverged > 0) std::cout << ", " << diverged << " diverged";
  std::cout << "\n";
  if (command.options.crashes > 0)
    std::cout << "alive at the end      " << text(spread_of(members)) << " of " << common.workers << "\n";
  if (!consensus.empty()) {
    std::cout << "consensus distance    " << text(spread_of(consensus)) << "  (second half of the run)\n"
              << "loss of the mean      " << text(spread_of(loss)) << "  (second half of the run)\n"
              << "meetings per worker   " << text(spread_of(meetings)) << "\n";
  }
  if (command.options.target_loss > 0.0) {
    std::cout << "loss " << command.options.target_loss << " after        ";
    if (target.empty()) {
      std::cout << "never\n";
    } else {
      std::cout << text(spread_of(target)) << " steps of time, " << target.size() << " of " << common.seeds
                << " runs\n";
    }
  }
}

}  // namespace duet::sim
