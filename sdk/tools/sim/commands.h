#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "duet/topology.h"
#include "sim/report.h"
#include "simulation/gossip.h"
#include "simulation/training.h"

namespace duet::sim {

/// What both commands are told, as it stands on the command line.
struct Common {
  std::string graph = "ring";
  int workers = 16;
  double rate = 1.0;
  int seeds = 4;
  std::uint64_t first_seed = 1;
  int jobs = 0;  ///< seeds at a time, at most as many as this process may use processors; 0: so many
  std::string report;
  std::string slow_edges;
  std::string stragglers;
  std::string torn;
  std::string wire = "float32";
};

struct GossipCommand {
  Common common;
  simulation::GossipOptions options;
};
struct TrainCommand {
  Common common;
  simulation::TrainingOptions options;
};

/// The command lines.
void add_options(CLI::App& app, GossipCommand& command);
void add_options(CLI::App& app, TrainCommand& command);

/// Reads what is text in `common` into the scenario, and makes the graph. Throws ConfigurationError that
/// names the option.
Topology prepare(const Common& common, simulation::Scenario& scenario);

/// All that both commands are told, for a report: two runs that may differ have settings that do.
Json settings_of(const std::string& program, const Common& common, const simulation::Scenario& scenario);

/// Run, print, report. What they throw: ConfigurationError before anything was run.
void run(GossipCommand command);
void run(TrainCommand command);

}  // namespace duet::sim
