#include "simulation/scenario.h"

#include <cmath>

#include "duet/error.h"

namespace duet::simulation {

const Scenario& checked(const Scenario& scenario) {
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
  if (scenario.constants != "paper" && scenario.constants != "measured")
    throw ConfigurationError("unknown constants \"" + scenario.constants +
                             "\"; there are paper and measured");
  if (scenario.constants == "measured" && scenario.crashes > 0)
    throw ConfigurationError("measured constants and crashes: a trial cannot know who will die; use paper");
  return scenario;
}

}  // namespace duet::simulation
