#include "simulation/fleet.h"

#include <cmath>
#include <utility>

#include "simulation/measured_graph.h"
#include "topology/present_graph.h"

namespace duet::simulation {

namespace {

std::unique_ptr<MeetingAlgorithm> make_algorithm(Constants constants, const Scenario& scenario) {
  constants.eta *= scenario.eta_factor;
  constants.alpha_tilde *= scenario.alpha_tilde_factor;
  return make_meeting_algorithm(scenario.algorithm, constants);
}

// The baseline needs no constants, and some graphs have none to be had.
bool needs_constants(const Scenario& scenario) {
  return scenario.algorithm != "adpsgd";
}

}  // namespace

Fleet::Fleet(const Topology& topology, const Scenario& scenario)
    : topology_(topology),
      scenario_(checked(scenario, topology)),
      network_(topology, scenario, scenario.seed),
      assumed_(assumed()),
      constants_(needs_constants(scenario) ? assumed_.constants() : Constants{}),
      algorithm_(make_algorithm(constants_, scenario)),
      population_(topology.workers(), scenario.dimension, algorithm_->has_momentum(), scenario.wire),
      torn_(stream(scenario.seed, Purpose::kTorn)) {
  for (int worker = 0; worker < topology.workers(); ++worker)
    clocks_.push_back(dynamics::make_clock(scenario.clock, assumed_.rate_of(worker)));
}

Topology Fleet::assumed() const {
  if (scenario_.constants == "paper" || !needs_constants(scenario_)) return topology_;
  PairingRunOptions trial = run_options();
  trial.seed = seed_of(scenario_.seed, Purpose::kTrial);
  return measured_graph(topology_, std::move(trial));
}

std::vector<Neighbour> Fleet::delivered(std::vector<Neighbour> neighbours) const {
  for (Neighbour& neighbour : neighbours)
    neighbour.rate *= scenario_.delivered;
  return neighbours;
}

PairingRunOptions Fleet::run_options() const {
  PairingRunOptions run;
  run.neighbours.reserve(index(topology_.workers()));
  for (int worker = 0; worker < topology_.workers(); ++worker)
    run.neighbours.push_back(delivered(topology_.neighbours(worker)));
  run.pairing.policy = scenario_.policy;
  run.pairing.simulation = true;
  run.pairing.unlimited_budget = scenario_.unlimited_budget;
  run.pairing.deterministic_budget = scenario_.deterministic_budget;
  run.latency = scenario_.latency;
  run.latency_spread = scenario_.latency_spread;
  run.loss = scenario_.loss;
  run.gone_after = scenario_.gone_after;
  run.seed = seed_of(scenario_.seed, Purpose::kRun);
  run.meeting_time = [this](int a, int b, Random& chance) { return network_.meeting_time(a, b, chance); };
  if (!scenario_.unlimited_budget)
    run.step_time = [this](int worker, Random& chance) { return network_.step_time(worker, chance); };
  return run;
}

void Fleet::plan_crashes(PairingRun& run, double length) {
  for (const Network::Crash& crash : network_.crashes()) {
    run.queue().at(crash.at * length, [this, &run, worker = crash.worker] {
      on_crash(worker);
      settled_each_ = meetings_each(run);
      settled_ = run.total_meetings();
      population_.lose(worker);
      run.crash(worker);
      run.queue().after(scenario_.gone_after, [this, &run] { repair(run); });
    });
  }
}

double Fleet::meetings_each(const PairingRun& run) const {
  return settled_each_ + 2.0 * static_cast<double>(run.total_meetings() - settled_) / population_.members();
}

// As the worker does it: the policy's graph among those present, and its constants where they are to be had
// soon.
void Fleet::repair(PairingRun& run) {
  std::vector<int> members;
  for (int worker = 0; worker < population_.workers(); ++worker)
    if (population_.alive(worker)) members.push_back(worker);
  const auto graphs = scenario_.graphs != nullptr ? scenario_.graphs : fixed_policy(topology_);
  const topology::PresentGraph present(*graphs, std::move(members));
  if (needs_constants(scenario_)) {
    constants_ = topology::constants_in_time(present.topology(), constants_);
    algorithm_ = make_algorithm(constants_, scenario_);
  }
  for (std::size_t k = 0; k < present.members().size(); ++k) {
    const int worker = present.members()[k];
    if (const double rate = present.topology().rate_of(static_cast<int>(k)); rate > 0.0)
      clocks_[index(worker)]->set_rate(rate);
    run.set_neighbours(worker, delivered(present.neighbours(worker)));
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
