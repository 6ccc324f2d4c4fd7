#include "simulation/measured_graph.h"

#include <string>
#include <utility>
#include <vector>

#include "duet/error.h"

namespace duet::simulation {

namespace {
// Until means and beliefs have settled; then long enough for an edge of rate ½ to be known to 8 %.
constexpr double kWarmUp = 20.0;
constexpr double kTrial = 300.0;
}  // namespace

Topology measured_graph(const Topology& meant, PairingRunOptions options) {
  PairingRun run(std::move(options));
  run.run_until(kWarmUp);
  const auto before = run.edge_meetings();
  run.run_until(kWarmUp + kTrial);
  std::vector<Edge> edges;
  for (const auto& [ends, meetings] : run.edge_meetings()) {
    const std::uint64_t counted = meetings - before.at(ends);
    if (counted > 0) edges.push_back({ends.first, ends.second, static_cast<double>(counted) / kTrial});
  }
  try {
    return Topology::from_edges(meant.workers(), std::move(edges), meant.name() + ", as measured");
  } catch (const ConfigurationError& error) {
    throw ConfigurationError(std::string("there are no measured constants, the workers fell apart: ") +
                             error.what());
  }
}

}  // namespace duet::simulation
