#include "science/seeds.h"

#include <cmath>
#include <cstdlib>
#include <vector>

#include "simulation/seeds.h"

namespace duet::science {

bool full() {
  return std::getenv("DUET_TEST_FULL") != nullptr;
}

int count(int quick, int in_full) {
  return full() ? in_full : quick;
}

void for_seeds(int count, const std::function<void(int)>& run) {
  simulation::run_all(count, 2, [&](int k) { run(k + 1); });
}

GossipMean gossip(const Topology& topology, simulation::GossipOptions options, int seeds) {
  std::vector<simulation::GossipResult> results(static_cast<std::size_t>(seeds));
  for_seeds(seeds, [&](int seed) {
    simulation::GossipOptions own = options;
    own.seed = static_cast<std::uint64_t>(seed);
    results[static_cast<std::size_t>(seed - 1)] = simulation::run_gossip(topology, own);
  });
  GossipMean mean;
  mean.runs = seeds;
  for (const simulation::GossipResult& result : results) {
    mean.diverged += result.diverged ? 1 : 0;
    if (!result.reached) continue;
    ++mean.reached;
    mean.meetings += result.meetings;
    mean.rate += result.rate();
  }
  if (mean.reached > 0) {
    mean.meetings /= mean.reached;
    mean.rate /= mean.reached;
  }
  return mean;
}

TrainingMean train(const Topology& topology, simulation::TrainingOptions options, int seeds) {
  std::vector<simulation::TrainingResult> results(static_cast<std::size_t>(seeds));
  for_seeds(seeds, [&](int seed) {
    simulation::TrainingOptions own = options;
    own.seed = static_cast<std::uint64_t>(seed);
    results[static_cast<std::size_t>(seed - 1)] = simulation::run_training(topology, own);
  });
  TrainingMean mean;
  int stable = 0;
  for (const simulation::TrainingResult& result : results) {
    if (result.diverged) {
      ++mean.diverged;
      continue;
    }
    ++stable;
    mean.consensus += result.consensus() * result.consensus();
    mean.loss += result.loss();
  }
  if (stable > 0) {
    mean.consensus = std::sqrt(mean.consensus / stable);
    mean.loss /= stable;
  }
  return mean;
}

}  // namespace duet::science
