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
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto steps = [seed](double gone_after) {
      TrainingOptions options;
      options.algorithm = "allreduce";
      options.length = 400.0;
      options.dimension = 8;
      options.record_every = 400.0;
      options.crashes = 1;
      options.gone_after = gone_after;
      options.seed = seed;
      return run_training(Topology::make("ring", 8), options).curve.back().steps;
    };
    // The same death; a step of all takes somewhat more than a second.
    const double noticed_at_once = steps(1.0), noticed_late = steps(41.0);
    EXPECT_LE(noticed_late, noticed_at_once - 25.0) << "seed " << seed;
    EXPECT_GE(noticed_late, noticed_at_once - 41.0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace duet::simulation
