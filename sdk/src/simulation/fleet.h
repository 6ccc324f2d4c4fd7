#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "duet/algorithm.h"
#include "dynamics/clock.h"
#include "simulation/pairing_run.h"
#include "simulation/population.h"
#include "simulation/scenario.h"

namespace duet::simulation {

/// Workers that meet, as a PairingRun tells it: their parameters, clocks and algorithm. Base of gossip and
/// training, which add what a step does.
class Fleet : public PairingRun::Listener {
 public:
  /// Throws ConfigurationError: an unknown algorithm or clock, what checked() refuses, a graph without
  /// constants.
  Fleet(const Topology& topology, const Scenario& scenario);

  /// How the scenario's pairing runs, on this fleet's network.
  PairingRunOptions run_options() const;
  /// Plans the scenario's crashes in a run that takes `length` seconds: the worker dies, is found gone
  /// gone_after later, and then the graph is made anew among the living, with its constants.
  void plan_crashes(PairingRun& run, double length);

  /// Meetings that have ended, of each worker, in the mean over those who lived at the time.
  double meetings_each(const PairingRun& run) const;

  void on_step(double now, int worker) override;
  void on_meeting_began(double now, int offerer, int accepter) override;

  Population& population() { return population_; }
  const Population& population() const { return population_; }
  const Network& network() const { return network_; }

 protected:
  static std::size_t index(int worker) { return static_cast<std::size_t>(worker); }
  virtual void on_crash(int /*worker*/) {}

 private:
  /// The graph whose rates constants and clocks go by.
  Topology assumed() const;
  std::vector<Neighbour> delivered(std::vector<Neighbour> neighbours) const;
  void repair(PairingRun& run);

  Topology topology_;
  Scenario scenario_;
  Network network_;
  Topology assumed_;
  Constants constants_;
  std::unique_ptr<MeetingAlgorithm> algorithm_;
  Population population_;
  std::vector<std::unique_ptr<dynamics::MeetingClock>> clocks_;
  std::uint64_t settled_ = 0;  ///< meetings up to the last death
  double settled_each_ = 0.0;  ///< meetings_each() then
  Random torn_;                ///< a stream of its own, so that nothing else depends on it
};

}  // namespace duet::simulation
