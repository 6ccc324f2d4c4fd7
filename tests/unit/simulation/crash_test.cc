#include <gtest/gtest.h>

#include "simulation/gossip.h"
#include "simulation/training.h"

namespace duet::simulation {
namespace {

TEST(Crashes, TheOthersOfARingCloseTheGapAndAgree) {
  for (const char* algorithm : {"a2cid2", "adpsgd"}) {
    GossipOptions options;
    options.algorithm = algorithm;
    options.crashes = 5;
    options.reduction = 1e-8;
    options.graphs = named_policy("ring", 16);
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      options.seed = seed;
      const GossipResult result = run_gossip(Topology::make("ring", 16), options);
      EXPECT_TRUE(result.reached) << algorithm << ", seed " << seed;
    }
  }
}

TEST(Crashes, WithoutAPolicyPartsAreTied) {
  // Most of a path dies: what is left hangs together only by fixed_policy()'s ties.
  GossipOptions options;
  options.crashes = 8;
  options.most_meetings = 20000;
  options.reduction = 1e-8;
  options.seed = 2;
  EXPECT_TRUE(run_gossip(Topology::make("path", 12), options).reached);
}

TEST(Crashes, TrainingGoesOnWithoutThem) {
  for (const char* algorithm : {"a2cid2", "adpsgd", "allreduce", "dpsgd", "local-sgd"}) {
    TrainingOptions options;
    options.algorithm = algorithm;
    options.rate = 0.25;
    options.crashes = 3;
    options.length = 300.0;
    options.dimension = 16;
    options.objective.noise = 0.2;
    options.objective.curvature = 0.2;
    options.seed = 4;
    const TrainingResult result = run_training(Topology::make("ring", 8), options);
    EXPECT_FALSE(result.diverged) << algorithm;
    EXPECT_GE(result.curve.back().seconds, 300.0) << algorithm;
    EXPECT_LT(result.loss(), 0.5 * result.curve.front().loss) << algorithm;
  }
}

TEST(Crashes, SynchronousAlgorithmsWaitUntilTheSilenceIsNoticed) {
  TrainingOptions options;
  options.algorithm = "allreduce";
  options.length = 100.0;
  options.dimension = 8;
  options.record_every = 100.0;
  const double steps = run_training(Topology::make("ring", 8), options).curve.back().steps;
  options.crashes = 2;
  options.gone_after = 20.0;
  const double with_deaths = run_training(Topology::make("ring", 8), options).curve.back().steps;
  // Twice up to 20 seconds of 100, and the steps of two of eight for a part of it.
  EXPECT_LT(with_deaths, steps - 15.0);
}

}  // namespace
}  // namespace duet::simulation
