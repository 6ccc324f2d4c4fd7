#include "simulation/fleet.h"

#include <cmath>
#include <string>
#include <utility>

#include "duet/error.h"

namespace duet::simulation {

namespace {

// The worker's own rule: beyond that the constants of before stand, as nobody can be away for so long.
constexpr int kLargestDense = 256;

Scenario validated(const Scenario& scenario) {
  const auto positive = [](double value, const char* name) {
    if (!(value > 0.0) || !std::isfinite(value))
      throw ConfigurationError(std::string(name) + " is " + std::to_string(value) + "; it must be > 0");
  };
  positive(scenario.delivered, "the ratio of delivered meetings");
  positive(scenario.eta_factor, "the factor of eta");
  positive(scenario.alpha_tilde_factor, "the factor of alpha~");
  for (const double share : {scenario.torn, scenario.torn_flight})
    if (!(share >= 0.0 && share <= 1.0))
      throw ConfigurationError("torn meetings: " + std::to_string(share) + " is not a share, from 0 to 1");
  if (scenario.dimension == 0) throw ConfigurationError("a model of dimension 0 has nothing to agree upon");
  return scenario;
}

std::unique_ptr<MeetingAlgorithm> make_algorithm(const Topology& topology, const Scenario& scenario) {
  // The baseline needs no constants, and some graphs have none to be had.
  Constants constants;
  if (scenario.algorithm != "adpsgd") constants = topology.constants();
  constants.eta *= scenario.eta_factor;
  constants.alpha_tilde *= scenario.alpha_tilde_factor;
  return make_meeting_algorithm(scenario.algorithm, constants);
}

}  // namespace

Fleet::Fleet(const Topology& topology, const Scenario& scenario)
    : topology_(topology),
      scenario_(validated(scenario)),
      network_(topology, scenario, scenario.seed),
      algorithm_(make_algorithm(topology, scenario)),
      population_(topology.workers(), scenario.dimension, algorithm_->has_momentum(), scenario.wire),
      torn_(scenario.seed + 2) {
  for (int worker = 0; worker < topology.workers(); ++worker)
    clocks_.push_back(dynamics::make_clock(scenario.clock, topology.rate_of(worker)));
}

std::vector<std::vector<Neighbour>> Fleet::delivered_neighbours(const Topology& topology) const {
  std::vector<std::vector<Neighbour>> all;
  all.reserve(index(topology.workers()));
  for (int worker = 0; worker < topology.workers(); ++worker) {
    all.push_back(topology.neighbours(worker));
    for (Neighbour& neighbour : all.back())
      neighbour.rate *= scenario_.delivered;
  }
  return all;
}

PairingRunOptions Fleet::run_options() const {
  PairingRunOptions run;
  run.neighbours = delivered_neighbours(topology_);
  run.pairing.policy = scenario_.policy;
  run.pairing.simulation = true;
  run.pairing.unlimited_budget = scenario_.unlimited_budget;
  run.pairing.deterministic_budget = scenario_.deterministic_budget;
  run.latency = scenario_.latency;
  run.latency_spread = scenario_.latency_spread;
  run.loss = scenario_.loss;
  run.gone_after = scenario_.gone_after;
  run.seed = scenario_.seed;
  run.meeting_time = [this](int a, int b, Random& chance) { return network_.meeting_time(a, b, chance); };
  if (!scenario_.unlimited_budget)
    run.step_time = [this](int worker, Random& chance) { return network_.step_time(worker, chance); };
  return run;
}

void Fleet::plan_crashes(PairingRun& run, double length) {
  for (const Network::Crash& crash : network_.crashes()) {
    run.queue().at(crash.at * length, [this, &run, worker = crash.worker] {
      on_crash(worker);
      population_.lose(worker);
      run.crash(worker);
      run.queue().after(scenario_.gone_after, [this, &run] { repair(run); });
    });
  }
}

void Fleet::repair(PairingRun& run) {
  std::vector<int> members;
  for (int worker = 0; worker < population_.workers(); ++worker)
    if (population_.alive(worker)) members.push_back(worker);
  const auto graphs = scenario_.graphs != nullptr ? scenario_.graphs : fixed_policy(topology_);
  const Topology graph = graphs->graph(members);
  if (graph.has_closed_form() || graph.workers() <= kLargestDense)
    algorithm_ = make_algorithm(graph, scenario_);
  std::vector<std::vector<Neighbour>> all = delivered_neighbours(graph);
  for (std::size_t k = 0; k < members.size(); ++k) {
    for (Neighbour& neighbour : all[k])
      neighbour.worker = members[index(neighbour.worker)];
    if (const double rate = graph.rate_of(static_cast<int>(k)); rate > 0.0)
      clocks_[index(members[k])]->set_rate(rate);
    run.set_neighbours(members[k], std::move(all[k]));
  }
}

void Fleet::on_step(double now, int worker) {
  clocks_[index(worker)]->on_step(now);
  population_.deliver(worker);
}

void Fleet::on_meeting_began(double now, int offerer, int accepter) {
  const MeetingCoefficients at_offerer = algorithm_->coefficients(clocks_[index(offerer)]->on_meeting(now));
  const MeetingCoefficients at_accepter = algorithm_->coefficients(clocks_[index(accepter)]->on_meeting(now));
  if (scenario_.torn > 0.0 && std::bernoulli_distribution(scenario_.torn)(torn_)) {
    const auto size = static_cast<double>(scenario_.dimension);
    const Population::Torn torn{std::uniform_int_distribution<std::size_t>(0, scenario_.dimension - 1)(torn_),
                                static_cast<std::size_t>(std::lround(scenario_.torn_flight * size))};
    population_.meet(offerer, accepter, at_offerer, at_accepter, &torn);
  } else {
    population_.meet(offerer, accepter, at_offerer, at_accepter);
  }
}

}  // namespace duet::simulation
