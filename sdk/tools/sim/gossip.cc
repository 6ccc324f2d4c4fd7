#include <iostream>
#include <vector>

#include "duet/version.h"
#include "sim/commands.h"
#include "sim/progress.h"
#include "sim/report.h"
#include "simulation/seeds.h"

namespace duet::sim {

namespace {

Json as_json(std::uint64_t seed, const simulation::GossipResult& result, const Topology& topology) {
  Json json;
  json["seed"] = seed;
  json["reached"] = result.reached;
  json["diverged"] = result.diverged;
  json["fell_apart"] = result.fell_apart;
  json["members"] = result.members;
  json["meetings"] = result.meetings;
  json["seconds"] = result.seconds;
  json["squared_distance"] = number(result.squared_distance);
  json["rate"] = number(result.rate());
  json["invariant_drift"] = number(result.invariant_drift);
  json["mean_wander"] = number(result.mean_wander);
  json["least_edge_share"] = result.least_edge_share(topology);
  json["messages_per_meeting"] = result.meetings > 0.0 ? static_cast<double>(result.messages) /
                                                             (0.5 * result.meetings * topology.workers())
                                                       : 0.0;
  Json curve = Json::array();
  for (const simulation::GossipPoint& point : result.curve)
    curve.push_back({point.seconds, point.meetings, number(point.squared_distance)});
  json["curve"] = std::move(curve);
  return json;
}

}  // namespace

void run(GossipCommand command) {
  const Common& common = command.common;
  const Topology topology = prepare(common, command.options);
  const Report report(common.report);
  const auto count = static_cast<std::size_t>(common.seeds);
  std::vector<Json> runs(count);
  std::vector<simulation::GossipResult> results(count);
  {
    ProgressBar bar(common.seeds);
    simulation::run_all(common.seeds, common.jobs, [&](int k) {
      simulation::GossipOptions options = command.options;
      options.seed = common.first_seed + static_cast<std::uint64_t>(k);
      auto& result = results[static_cast<std::size_t>(k)];
      result = simulation::run_gossip(topology, options, [&](double done) { bar.set(k, done); });
      runs[static_cast<std::size_t>(k)] = as_json(options.seed, result, topology);
      // Of large graphs as long as everything else together.
      result.curve = {};
      result.edge_meetings = {};
      bar.set(k, 1.0);
    });
  }

  std::vector<double> meetings, seconds, rates, drifts, shares, members;
  int diverged = 0, fell_apart = 0;
  for (std::size_t k = 0; k < count; ++k) {
    diverged += results[k].diverged ? 1 : 0;
    shares.push_back(runs[k]["least_edge_share"].get<double>());
    fell_apart += results[k].fell_apart ? 1 : 0;
    members.push_back(results[k].members);
    if (runs[k]["invariant_drift"].is_number()) drifts.push_back(results[k].invariant_drift);
    if (!results[k].reached && command.options.reduction > 0.0) continue;
    meetings.push_back(results[k].meetings);
    seconds.push_back(results[k].seconds);
    if (runs[k]["rate"].is_number()) rates.push_back(runs[k]["rate"].get<double>());
  }
  Json settings = settings_of("duet-sim gossip " DUET_VERSION_STRING, common, command.options);
  settings["always_available"] = command.options.unlimited_budget;
  settings["reduction"] = command.options.reduction;
  settings["most_meetings"] = command.options.most_meetings;
  settings["curve"] = {"seconds", "meetings", "squared_distance"};
  Json summary;
  summary["runs"] = common.seeds;
  summary["reached"] = meetings.size();
  summary["diverged"] = diverged;
  summary["fell_apart"] = fell_apart;
  summary["members"] = spread_of(members).mean;
  summary["meetings"] = spread_of(meetings).mean;
  summary["meetings_deviation"] = spread_of(meetings).deviation;
  summary["rate"] = spread_of(rates).mean;
  summary["least_edge_share"] = spread_of(shares).mean;
  report.write(settings, runs, summary);

  std::cout << common.graph << " of " << common.workers << ", rate " << common.rate << ", "
            << command.options.algorithm << ", clock " << command.options.clock << ", pairing "
            << command.options.policy << "\n";
  if (command.options.reduction > 0.0) {
    std::cout << "squared consensus distance down to " << command.options.reduction
              << " of the start: " << meetings.size() << " of " << common.seeds << " runs";
  } else {
    std::cout << "up to " << command.options.most_meetings << " meetings per worker: " << common.seeds
              << " runs";
  }
  if (diverged > 0) std::cout << ", " << diverged << " diverged";
  if (fell_apart > 0) std::cout << ", " << fell_apart << " fell apart: nobody met any more";
  std::cout << "\n";
  if (command.options.crashes > 0)
    std::cout << "alive at the end      " << text(spread_of(members)) << " of " << common.workers << "\n";
  if (meetings.empty()) return;
  std::cout << "meetings per worker   " << text(spread_of(meetings)) << "\n"
            << "time, in steps        " << text(spread_of(seconds)) << "\n"
            << "least used edge       " << text(spread_of(shares)) << " of its share\n";
  // With deaths there is none, and of some of the runs it would say nothing about all.
  if (drifts.size() == count) {
    std::cout << "drift of the mean     " << text(spread_of(drifts))
              << " of the consensus distance at the start\n";
  }
}

}  // namespace duet::sim
