#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "simulation/conditions.h"
#include "simulation/gossip.h"
#include "simulation/training.h"

namespace duet::simulation {
namespace {

/// How many of the scenario's deaths have happened after `seconds` of a run that plans them within `length`.
int deaths(const Topology& topology, const Scenario& scenario, double length, double seconds) {
  const Network network(topology, scenario, scenario.seed);
  int count = 0;
  for (const Network::Crash& crash : network.crashes())
    count += crash.at * length <= seconds ? 1 : 0;
  return count;
}

TEST(Crashes, TheOthersOfARingCloseTheGapAndAgree) {
  for (const char* algorithm : {"a2cid2", "adpsgd"}) {
    GossipOptions options;
    options.algorithm = algorithm;
    options.crashes = 5;
    options.reduction = 1e-11;
    options.graphs = named_policy("ring", 16);
    const Topology ring = Topology::make("ring", 16);
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      SCOPED_TRACE(std::string(algorithm) + ", seed " + std::to_string(seed));
      options.seed = seed;
      const GossipResult result = run_gossip(ring, options);
      EXPECT_TRUE(result.reached);
      // Gossip plans deaths within its first hundred steps, and may agree before the last of them.
      const int dead = deaths(ring, options, 100.0, result.seconds);
      EXPECT_GE(dead, 2);
      EXPECT_EQ(result.members, 16 - dead);
      EXPECT_TRUE(std::isnan(result.invariant_drift));
      EXPECT_TRUE(std::isnan(result.mean_wander));
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
  const Topology path = Topology::make("path", 12);
  const GossipResult result = run_gossip(path, options);
  EXPECT_TRUE(result.reached);
  EXPECT_GE(deaths(path, options, 100.0, result.seconds), 4);
  EXPECT_EQ(result.members, 12 - deaths(path, options, 100.0, result.seconds));
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
    EXPECT_EQ(result.members, 5) << algorithm;
    EXPECT_FALSE(result.diverged) << algorithm;
    EXPECT_GE(result.curve.back().seconds, 300.0) << algorithm;
    EXPECT_LT(result.loss(), 0.5 * result.curve.front().loss) << algorithm;
  }
}

TEST(Crashes, MeetingsAreThoseOfTheLiving) {
  // Of 16 that meet once per step each, most die early; the others go on as often as before.
  TrainingOptions options;
  options.crashes = 12;
  options.gone_after = 1.0;
  options.length = 400.0;
  options.record_every = 100.0;
  options.dimension = 4;
  options.graphs = named_policy("ring", 16);
  options.seed = 3;
  const TrainingResult result = run_training(Topology::make("ring", 16), options);
  EXPECT_EQ(result.members, 4);
  for (std::size_t k = 1; k < result.curve.size(); ++k)
    EXPECT_NEAR(result.curve[k].meetings - result.curve[k - 1].meetings, 100.0, 20.0) << k;
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
