#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "science/seeds.h"

/// The two clocks where fewer meetings, or more, are delivered than the constants assume.
namespace duet::science {
namespace {

using simulation::GossipOptions;
using simulation::TrainingOptions;

/// SGD with momentum on a quadratic, flat enough for the graph to matter.
TrainingOptions training(const std::string& algorithm, const std::string& clock, double delivered) {
  TrainingOptions options;
  options.algorithm = algorithm;
  options.clock = clock;
  options.delivered = delivered;
  options.objective.curvature = 0.005;
  options.dimension = 32;
  options.length = 1000.0;
  return options;
}

TEST(Clock, OnARingOf64TheWallClockDivergesWhereFewMeetingsAreDeliveredAndTheAdaptiveOneDoesNot) {
  const Topology ring = Topology::make("ring", 64);
  const auto run = [&](const std::string& algorithm, const std::string& clock, double delivered) {
    TrainingOptions options = training(algorithm, clock, delivered);
    options.policy = "memoryless";
    return train(ring, options, count(2, 8));
  };
  const TrainingMean wall = run("a2cid2", "wall", 1.0), adaptive = run("a2cid2", "adaptive", 1.0);
  const TrainingMean baseline = run("adpsgd", "adaptive", 1.0);
  EXPECT_EQ(wall.diverged, 0);
  EXPECT_EQ(adaptive.diverged, 0);
  EXPECT_LT(wall.consensus, 0.85 * baseline.consensus);
  EXPECT_LT(adaptive.consensus, 1.1 * wall.consensus);

  EXPECT_GT(run("a2cid2", "wall", 0.3).diverged, 0);
  const TrainingMean few = run("a2cid2", "adaptive", 0.3), few_baseline = run("adpsgd", "adaptive", 0.3);
  EXPECT_EQ(few.diverged, 0);
  EXPECT_LT(few.consensus, 0.9 * few_baseline.consensus);
}

struct Trouble {
  const char* name;
  double slow_edges;
  double meeting_time;
  int stragglers;
};
std::ostream& operator<<(std::ostream& out, const Trouble& trouble) {
  return out << trouble.name;
}

class ClockSweep : public testing::TestWithParam<Trouble> {};

TEST_P(ClockSweep, TheAdaptiveClockIsStableAndAsGoodAsTheWallClockWhereThatOneIs) {
  const Trouble& trouble = GetParam();
  std::vector<int> sizes = {16, 64};
  if (full()) sizes.push_back(128);
  int stable = 0;
  for (const int workers : sizes) {
    for (const double delivered : {0.1, 0.25, 0.5, 1.0, 2.0, 4.0}) {
      SCOPED_TRACE("ring of " + std::to_string(workers) + ", delivered " + std::to_string(delivered));
      TrainingOptions options = training("a2cid2", "adaptive", delivered);
      options.slow_edges = trouble.slow_edges;
      options.meeting_time = trouble.meeting_time;
      options.stragglers = trouble.stragglers;
      options.straggler_factor = 10.0;
      const Topology ring = Topology::make("ring", workers);
      const int seeds = count(2, 8);
      const TrainingMean adaptive = train(ring, options, seeds);
      EXPECT_EQ(adaptive.diverged, 0);
      options.clock = "wall";
      const TrainingMean wall = train(ring, options, seeds);
      if (wall.diverged == 0) {
        ++stable;
        EXPECT_LE(adaptive.consensus, 1.1 * wall.consensus);
      }
    }
  }
  EXPECT_GE(stable, 6) << "there must be something to compare with";
}

INSTANTIATE_TEST_SUITE_P(Troubles, ClockSweep,
                         testing::Values(Trouble{"None", 0.0, 0.02, 0}, Trouble{"SlowEdges", 0.25, 0.3, 0},
                                         Trouble{"Straggler", 0.0, 0.02, 1}),
                         [](const auto& tested) { return tested.param.name; });

TEST(Clock, PureGossipConvergesOnTheAdaptiveClockWhateverIsDelivered) {
  for (const int workers : {16, 64}) {
    for (const double delivered : {0.1, 0.4, 1.0, 4.0}) {
      for (const double slow_edges : {0.0, 0.25}) {
        GossipOptions options;
        options.delivered = delivered;
        options.slow_edges = slow_edges;
        options.meeting_time = slow_edges > 0.0 ? 2.0 : 0.02;
        const GossipMean mean = gossip(Topology::make("ring", workers), options, count(2, 8));
        EXPECT_TRUE(mean.all()) << workers << ", " << delivered << ", " << slow_edges;
      }
    }
  }
}

TEST(Clock, PureGossipDivergesOnTheWallClockWhereAQuarterOfTheEdgesIsSlow) {
  GossipOptions options;
  options.clock = "wall";
  options.slow_edges = 0.25;
  options.meeting_time = 2.0;
  EXPECT_GT(gossip(Topology::make("ring", 64), options, 4).diverged, 0);
}

}  // namespace
}  // namespace duet::science
