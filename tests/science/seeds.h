#pragma once

#include <functional>

#include "duet/topology.h"
#include "simulation/gossip.h"
#include "simulation/training.h"

namespace duet::science {

/// The full counts with DUET_TEST_FULL, otherwise what fits into a short run.
bool full();
int count(int quick, int in_full);

/// run(seed) for seeds 1 … count, two at a time.
void for_seeds(int count, const std::function<void(int seed)>& run);

struct GossipMean {
  double meetings = 0.0;  ///< of those that got there
  double rate = 0.0;      ///< GossipResult::rate()
  int reached = 0;
  int diverged = 0;
  int runs = 0;
  bool all() const { return reached == runs; }
};
GossipMean gossip(const Topology& topology, simulation::GossipOptions options, int seeds);

struct TrainingMean {
  double consensus = 0.0;
  double loss = 0.0;
  int diverged = 0;
};
TrainingMean train(const Topology& topology, simulation::TrainingOptions options, int seeds);

}  // namespace duet::science
