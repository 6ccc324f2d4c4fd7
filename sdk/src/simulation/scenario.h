#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "duet/buffer.h"
#include "duet/topology.h"
#include "simulation/conditions.h"

namespace duet::simulation {

/// What every simulated run is told: how the workers mix, whom they meet, under which conditions.
struct Scenario : Conditions {
  std::string algorithm = "a2cid2";
  std::string clock = "adaptive";
  std::string policy = "holdoff";
  bool unlimited_budget = false;  ///< always available, no training
  bool deterministic_budget = false;
  /// Meetings delivered by meetings assumed: the budget is this times what constants and clock go by.
  double delivered = 1.0;
  /// What η, α̃ and the clock go by. "paper": the rates that the graph's edges are meant to have. "measured":
  /// those that they reach in a trial of the same pairing on the same network.
  std::string constants = "paper";
  double eta_factor = 1.0;          ///< on η
  double alpha_tilde_factor = 1.0;  ///< on α̃
  /// Element type on the wire.
  DType wire = DType::kFloat32;
  double torn = 0.0;         ///< share of the meetings that break, anywhere
  double torn_flight = 0.0;  ///< share of the parameters that reach one of the two alone then
  std::size_t dimension = 64;
  std::uint64_t seed = 0;
  /// Asked for the graph of those who are left after a crash; null: fixed_policy() of the graph.
  std::shared_ptr<const TopologyPolicy> graphs;
};

/// The scenario, if it can be on that graph. Throws ConfigurationError that names what cannot: an unknown
/// kind of constants, a factor or share out of its range, a model of dimension 0, more meetings per step than
/// can be drawn. (Conditions are checked by Network, names of algorithms, clocks and pairings by whoever
/// makes them.)
const Scenario& checked(const Scenario& scenario, const Topology& topology);

/// Meetings per step that the busiest worker is to have.
double largest_rate(const Scenario& scenario, const Topology& topology);

/// Told now and then how much of a run is done, 0 … 1.
using Progress = std::function<void(double)>;

}  // namespace duet::simulation
