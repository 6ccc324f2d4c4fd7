#include <cmath>
#include <sstream>

#include "duet/error.h"
#include "sim/commands.h"
#include "sim/pair.h"

namespace duet::sim {

namespace {

// Of a graph, as Topology::make() has it, which does not know what the option is called.
constexpr double kLeastRate = 1e-6, kMostRate = 1e6;

std::string graph_help() {
  std::string text = "One of";
  for (const std::string& name : Topology::known())
    text += (text.size() > 6 ? ", " : " ") + name;
  return text;
}

void add_common(CLI::App& app, Common& common, simulation::Scenario& scenario) {
  app.add_option("--graph", common.graph, graph_help())->capture_default_str();
  app.add_option("--workers", common.workers, "How many, at least 2")->capture_default_str();
  app.add_option("--rate", common.rate, "Meetings per step and worker")->capture_default_str();
  app.add_option("--clock", scenario.clock, "adaptive, wall (the paper's), meetings")->capture_default_str();
  app.add_option("--pairing", scenario.policy, "holdoff, fifo, memoryless, target")->capture_default_str();
  app.add_option("--delivered", scenario.delivered,
                 "Meetings delivered by meetings assumed: how far the network stays behind, or is ahead")
      ->capture_default_str();
  app.add_option(
         "--constants", scenario.constants,
         "paper: of the rates that the graph is meant to have; measured: of those that it reaches in a trial")
      ->capture_default_str();
  app.add_option("--eta-factor", scenario.eta_factor, "Times eta")->capture_default_str();
  app.add_option("--alpha-tilde-factor", scenario.alpha_tilde_factor, "Times alpha~")->capture_default_str();
  app.add_flag("--deterministic-budget", scenario.deterministic_budget,
               "The rate exactly, in every step; otherwise it is drawn");

  app.add_option("--compute", scenario.compute, "Times of steps: uniform, lognormal, poisson, constant")
      ->capture_default_str();
  app.add_option("--spread", scenario.step_spread,
                 "Of steps: uniform 1 +- this, lognormal standard deviation")
      ->capture_default_str();
  app.add_option("--stragglers", common.stragglers,
                 "K:FACTOR: K workers whose steps take FACTOR times as long");
  app.add_option("--meeting-time", scenario.meeting_time, "Of a meeting, in steps")->capture_default_str();
  app.add_option("--bytes", scenario.bytes, "Of parameters, one way, for --bandwidth");
  app.add_option("--bandwidth", scenario.bandwidth,
                 "Bytes per step of time; a meeting takes --meeting-time + bytes / bandwidth. 0: no limit");
  app.add_option("--slow-edges", common.slow_edges,
                 "FRACTION:FACTOR: on so many of the edges meetings take FACTOR times as long");
  app.add_option("--latency", scenario.latency, "Of control messages, in steps: from this to twice this")
      ->capture_default_str();
  app.add_option("--loss", scenario.loss, "Share of control messages that are lost")->capture_default_str();
  app.add_option("--crashes", scenario.crashes, "So many workers die on the way")->capture_default_str();
  app.add_option("--gone-after", scenario.gone_after, "Silence after which a worker is gone, in steps")
      ->capture_default_str();
  app.add_option(
      "--torn", common.torn,
      "SHARE:FLIGHT: so many meetings break, with FLIGHT of the parameters reaching one side alone");
  app.add_option("--wire", common.wire, "Element type on the wire: float32, bf16")->capture_default_str();
  app.add_option("--dimension", scenario.dimension, "Of the model")->capture_default_str();

  app.add_option("--seeds", common.seeds, "Runs, each with a seed of its own")->capture_default_str();
  app.add_option("--first-seed", common.first_seed, "The others follow it")->capture_default_str();
  app.add_option("--jobs", common.jobs, "Runs at a time, at most one for each processor; 0: so many")
      ->capture_default_str();
  app.add_option("--report", common.report, "FILE.csv (a line for each run) or FILE.json (all of it)");
}

}  // namespace

void add_options(CLI::App& app, GossipCommand& command) {
  add_common(app, command.common, command.options);
  simulation::GossipOptions& options = command.options;
  app.add_option("--algorithm", options.algorithm, "a2cid2, adpsgd")->capture_default_str();
  CLI::Option* const always = app.add_flag("--always-available", options.unlimited_budget,
                                           "No steps, no budget: meetings all the time");
  // Of steps and of the budget, neither of which there is then.
  for (const char* ignored :
       {"--compute", "--spread", "--stragglers", "--deterministic-budget", "--delivered"})
    always->excludes(app.get_option(ignored));
  app.add_option(
         "--reduction", options.reduction,
         "Until the squared consensus distance is this share of the start's; 0: until --most-meetings")
      ->capture_default_str();
  app.add_option(
         "--most-meetings", options.most_meetings,
         "Per worker: then it is given up. Counted when they end; the distance has them from their beginning")
      ->capture_default_str();
}

void add_options(CLI::App& app, TrainCommand& command) {
  add_common(app, command.common, command.options);
  simulation::TrainingOptions& options = command.options;
  app.add_option("--algorithm", options.algorithm, "a2cid2, adpsgd, allreduce, dpsgd, local-sgd")
      ->capture_default_str();
  app.add_option("--objective", options.objective.kind, "quadratic, logistic")->capture_default_str();
  app.add_option("--heterogeneity", options.objective.heterogeneity,
                 "How far the workers' own data are apart; 0: all alike")
      ->capture_default_str();
  app.add_option("--noise", options.objective.noise, "quadratic: of the gradient")->capture_default_str();
  app.add_option("--curvature", options.objective.curvature, "quadratic: the largest; 0: nothing but noise")
      ->capture_default_str();
  app.add_option("--condition", options.objective.condition, "quadratic: largest by smallest curvature")
      ->capture_default_str();
  app.add_option("--batch", options.objective.batch, "logistic: samples per step")->capture_default_str();
  app.add_option("--weight-decay", options.objective.weight_decay, "logistic")->capture_default_str();
  app.add_option("--learning-rate", options.learning_rate, "Of SGD")->capture_default_str();
  app.add_option("--momentum", options.momentum, "Of SGD")->capture_default_str();
  app.add_option("--steps", options.length, "Of a worker that is no straggler: the run's length")
      ->capture_default_str();
  app.add_option("--record-every", options.record_every, "Steps between two records")->capture_default_str();
  app.add_option("--target-loss", options.target_loss,
                 "Note when the mean model's loss first is at most this");
  app.add_flag("--stop-at-target", options.stop_at_target, "And end there");
}

Topology prepare(const Common& common, simulation::Scenario& scenario) {
  if (common.workers < 2) {
    throw ConfigurationError("--workers " + std::to_string(common.workers) +
                             ": a run needs at least 2 workers; one alone has nobody to meet");
  }
  if (!(common.rate >= kLeastRate && common.rate <= kMostRate)) {
    std::ostringstream problem;
    problem << "--rate " << common.rate << ": meetings per step and worker, from " << kLeastRate << " to "
            << kMostRate;
    throw ConfigurationError(problem.str());
  }
  if (common.seeds < 1) throw ConfigurationError("--seeds " + std::to_string(common.seeds) + ": at least 1");
  if (common.jobs < 0) throw ConfigurationError("--jobs " + std::to_string(common.jobs) + ": at least 0");
  if (!common.slow_edges.empty()) {
    const Pair pair = parse_pair("--slow-edges", common.slow_edges, "FRACTION:FACTOR, e.g. 0.25:5");
    if (!(pair.first >= 0.0 && pair.first <= 1.0) || !(pair.second > 0.0))
      throw ConfigurationError("--slow-edges " + common.slow_edges +
                               ": FRACTION is from 0 to 1, FACTOR above 0, e.g. 0.25:5");
    scenario.slow_edges = pair.first;
    scenario.slow_factor = pair.second;
  }
  if (!common.stragglers.empty()) {
    const Pair pair = parse_pair("--stragglers", common.stragglers, "K:FACTOR, e.g. 1:10");
    if (pair.first != std::floor(pair.first) || pair.first < 0.0 || pair.first > common.workers ||
        !(pair.second > 0.0))
      throw ConfigurationError("--stragglers " + common.stragglers + ": K is a whole number from 0 to " +
                               std::to_string(common.workers) + ", FACTOR above 0, e.g. 1:10");
    scenario.stragglers = static_cast<int>(pair.first);
    scenario.straggler_factor = pair.second;
  }
  if (!common.torn.empty()) {
    const Pair pair = parse_pair("--torn", common.torn, "SHARE:FLIGHT, e.g. 0.01:0.1");
    scenario.torn = pair.first;
    scenario.torn_flight = pair.second;
  }
  if (common.wire == "bf16" || common.wire == "bfloat16") {
    scenario.wire = DType::kBFloat16;
  } else if (common.wire != "float32") {
    throw ConfigurationError("--wire " + common.wire + ": there are float32 and bf16");
  }
  if (scenario.bytes > 0.0 && scenario.bandwidth <= 0.0)
    throw ConfigurationError("--bytes says nothing without --bandwidth; give both");
  if (scenario.bandwidth > 0.0 && scenario.bytes <= 0.0)
    throw ConfigurationError("--bandwidth says nothing without --bytes; give both");
  scenario.latency_spread = scenario.latency;
  scenario.graphs = named_policy(common.graph, common.workers, common.rate);
  return Topology::make(common.graph, common.workers, common.rate);
}

Json settings_of(const std::string& program, const Common& common, const simulation::Scenario& scenario) {
  Json settings;
  settings["program"] = program;
  settings["graph"] = common.graph;
  settings["workers"] = common.workers;
  settings["rate"] = common.rate;
  settings["algorithm"] = scenario.algorithm;
  settings["clock"] = scenario.clock;
  settings["pairing"] = scenario.policy;
  settings["constants"] = scenario.constants;
  settings["delivered"] = scenario.delivered;
  settings["eta_factor"] = scenario.eta_factor;
  settings["alpha_tilde_factor"] = scenario.alpha_tilde_factor;
  settings["deterministic_budget"] = scenario.deterministic_budget;
  settings["compute"] = scenario.compute;
  settings["spread"] = scenario.step_spread;
  settings["stragglers"] = common.stragglers;
  settings["meeting_time"] = scenario.meeting_time;
  settings["bytes"] = scenario.bytes;
  settings["bandwidth"] = scenario.bandwidth;
  settings["slow_edges"] = common.slow_edges;
  settings["latency"] = scenario.latency;
  settings["loss"] = scenario.loss;
  settings["crashes"] = scenario.crashes;
  settings["gone_after"] = scenario.gone_after;
  settings["torn"] = common.torn;
  settings["wire"] = common.wire;
  settings["dimension"] = scenario.dimension;
  settings["seeds"] = common.seeds;
  settings["first_seed"] = common.first_seed;
  return settings;
}

}  // namespace duet::sim
