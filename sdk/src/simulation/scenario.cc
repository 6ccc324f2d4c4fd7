#include "simulation/scenario.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "duet/error.h"

namespace duet::simulation {

namespace {
// Beyond that a step's meetings are more than an int counts, and to draw one by one what cannot be held is no
// simulation.
constexpr double kMostMeetingsPerStep = 1e4;
}  // namespace

double largest_rate(const Scenario& scenario, const Topology& topology) {
  double largest = 0.0;
  for (int worker = 0; worker < topology.workers(); ++worker)
    largest = std::max(largest, topology.rate_of(worker));
  return largest * scenario.delivered;
}

const Scenario& checked(const Scenario& scenario, const Topology& topology) {
  const auto positive = [](double value, const char* name) {
    if (!(value > 0.0) || !std::isfinite(value))
      throw ConfigurationError(std::string(name) + " is " + std::to_string(value) + "; it must be > 0");
  };
  positive(scenario.delivered, "the ratio of delivered meetings");
  positive(scenario.eta_factor, "the factor of eta");
  positive(scenario.alpha_tilde_factor, "the factor of alpha~");
  if (const double rate = largest_rate(scenario, topology); !(rate <= kMostMeetingsPerStep)) {
    char text[96];
    std::snprintf(text, sizeof text, "--rate times --delivered: %g meetings per step; it must be at most %g",
                  rate, kMostMeetingsPerStep);
    throw ConfigurationError(text);
  }
  for (const double share : {scenario.torn, scenario.torn_flight})
    if (!(share >= 0.0 && share <= 1.0))
      throw ConfigurationError("torn meetings: " + std::to_string(share) + " is not a share, from 0 to 1");
  if (scenario.dimension == 0) throw ConfigurationError("a model of dimension 0 has nothing to agree upon");
  if (scenario.constants != "paper" && scenario.constants != "measured")
    throw ConfigurationError("unknown constants \"" + scenario.constants +
                             "\"; there are paper and measured");
  if (scenario.constants == "measured" && scenario.crashes > 0)
    throw ConfigurationError("measured constants and crashes: a trial cannot know who will die; use paper");
  // A straggler's wall clock counts its own slow steps, while measured rates are per unit of time.
  if (scenario.constants == "measured" && scenario.clock == "wall" && scenario.stragglers > 0 &&
      scenario.algorithm != "adpsgd")
    throw ConfigurationError(
        "--constants measured with --clock wall and --stragglers: a straggler's steps are another unit of "
        "time than the measured rates'; use another clock, or constants of paper");
  return scenario;
}

}  // namespace duet::simulation
