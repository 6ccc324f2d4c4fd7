#include "simulation/measured_graph.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "duet/error.h"

namespace duet::simulation {

namespace {
// Until means and beliefs have settled; then long enough for an edge of rate ½ to be known to 8 %, and for
// one of any rate to be used thirty times, so that none is missed and each is known to 18 %.
constexpr double kWarmUp = 20.0;
constexpr double kShortest = 300.0;
constexpr double kLeastMeetings = 30.0;
constexpr double kLongest = 1e7;  // nobody waits for more

double length_of_trial(const PairingRunOptions& options) {
  double length = kShortest;
  for (const std::vector<Neighbour>& neighbours : options.neighbours)
    for (const Neighbour& neighbour : neighbours)
      length = std::max(length, kLeastMeetings / neighbour.rate);
  if (!(length <= kLongest))
    throw ConfigurationError(
        "--constants measured: some edge is used so rarely that a trial of ten million steps "
        "does not tell its rate; use paper");
  return length;
}
}  // namespace

Topology measured_graph(const Topology& meant, PairingRunOptions options) {
  const double length = length_of_trial(options);
  PairingRun run(std::move(options));
  run.run_until(kWarmUp);
  const auto before = run.edge_meetings();
  run.run_until(kWarmUp + length);
  std::vector<Edge> edges;
  for (const auto& [ends, meetings] : run.edge_meetings()) {
    const std::uint64_t counted = meetings - before.at(ends);
    if (counted > 0) edges.push_back({ends.first, ends.second, static_cast<double>(counted) / length});
  }
  try {
    return Topology::from_edges(meant.workers(), std::move(edges), meant.name() + ", as measured");
  } catch (const ConfigurationError& error) {
    throw ConfigurationError(std::string("there are no measured constants, the workers fell apart: ") +
                             error.what());
  }
}

}  // namespace duet::simulation
