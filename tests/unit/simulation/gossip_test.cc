#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "duet/error.h"
#include "simulation/gossip.h"
#include "simulation/measured_graph.h"

namespace duet::simulation {
namespace {

using ::testing::HasSubstr;

TEST(Gossip, TellsDistancesFarBelowTheStartsRounding) {
  // As long as the mean is at 0, floats are as fine there as one likes: 240 meetings, four times 60, must
  // show at least three times as many powers of ten.
  GossipOptions options;
  options.reduction = 0.0;
  options.most_meetings = 60.0;
  options.seed = 1;
  const Topology ring = Topology::make("ring", 8);
  const double sixty = run_gossip(ring, options).squared_distance;
  options.most_meetings = 240.0;
  const double more = run_gossip(ring, options).squared_distance;
  EXPECT_LT(sixty, 1e-6);
  EXPECT_LT(more, 1e-18);
}

TEST(Gossip, WithoutAGoalItMeetsAsOftenAsItMayThoughNothingIsLeftToAgreeUpon) {
  GossipOptions options;
  options.reduction = 0.0;
  options.most_meetings = 100.0;
  options.seed = 1;
  const GossipResult result = run_gossip(Topology::make("complete", 2), options);
  EXPECT_GE(result.meetings, 100.0);
  EXPECT_FALSE(result.reached);
  EXPECT_EQ(result.squared_distance, 0.0);
}

TEST(Gossip, IsPatientWithThoseWhoMeetRarely) {
  GossipOptions options;
  options.most_meetings = 3.0;
  options.reduction = 0.0;
  for (const std::uint64_t seed : {1, 2, 3}) {
    options.seed = seed;
    const GossipResult rare = run_gossip(Topology::make("complete", 2, 5e-5), options);
    EXPECT_GE(rare.meetings, 3.0) << seed;
    EXPECT_FALSE(rare.fell_apart) << seed;
    GossipOptions slow = options;
    slow.stragglers = 2;
    slow.straggler_factor = 2e4;
    EXPECT_GE(run_gossip(Topology::make("complete", 2), slow).meetings, 3.0) << seed;
  }
}

TEST(Gossip, SaysThatTheWorkersFellApart) {
  GossipOptions options;
  options.loss = 1.0;
  options.seed = 1;
  const GossipResult result = run_gossip(Topology::make("ring", 4), options);
  EXPECT_TRUE(result.fell_apart);
  EXPECT_EQ(result.meetings, 0.0);
}

TEST(Gossip, RefusesWhatWouldHaveNoEndOrMeanSomethingElse) {
  const auto message = [](const GossipOptions& options, double rate = 1.0) {
    try {
      run_gossip(Topology::make("ring", 4, rate), options);
    } catch (const ConfigurationError& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  GossipOptions options;
  EXPECT_THAT(message(options, 1e5), HasSubstr("--rate"));
  options.delivered = 0.5;
  EXPECT_THAT(message(options, 1e-6), HasSubstr("--rate"));
  options.delivered = 1e10;
  EXPECT_THAT(message(options), HasSubstr("--delivered"));
  options = {};
  options.unlimited_budget = true;
  options.clock = "wall";
  EXPECT_THAT(message(options), HasSubstr("--always-available"));
  options = {};
  options.constants = "measured";
  options.clock = "wall";
  options.stragglers = 1;
  EXPECT_THAT(message(options), HasSubstr("--constants measured"));
}

TEST(Gossip, ItsCurveEndsWhereTheRunDoes) {
  GossipOptions options;
  options.seed = 1;
  const GossipResult result = run_gossip(Topology::make("ring", 8), options);
  ASSERT_TRUE(result.reached);
  EXPECT_NEAR(result.curve.back().squared_distance / result.squared_distance, 1.0, 1e-6);
  EXPECT_EQ(result.curve.back().meetings, result.meetings);
}

PairingRunOptions trial(const Topology& topology, double slow_edge_time) {
  PairingRunOptions options;
  for (int worker = 0; worker < topology.workers(); ++worker)
    options.neighbours.push_back(topology.neighbours(worker));
  options.step_time = [](int, Random& chance) {
    return std::uniform_real_distribution<double>(0.8, 1.2)(chance);
  };
  options.meeting_time = [slow_edge_time](int a, int b, Random&) {
    return std::min(a, b) == 0 && std::max(a, b) == 1 ? slow_edge_time : 0.02;
  };
  options.seed = 3;
  return options;
}

TEST(MeasuredGraph, HasTheRatesThatAreMeantWhereTheNetworkDeliversThem) {
  const Topology meant = Topology::make("ring", 8);
  const Topology measured = measured_graph(meant, trial(meant, 0.02));
  ASSERT_EQ(measured.edge_count(), meant.edge_count());
  for (int worker = 0; worker < 8; ++worker)
    EXPECT_NEAR(measured.rate_of(worker), 1.0, 0.2) << worker;
  EXPECT_NEAR(measured.constants().chi1 / meant.constants().chi1, 1.0, 0.3);
}

TEST(MeasuredGraph, TriesLongEnoughToMissNoEdge) {
  const Topology meant = Topology::make("ring", 8, 0.01);
  EXPECT_EQ(measured_graph(meant, trial(meant, 0.02)).edge_count(), 8U);
  const Topology never = Topology::make("ring", 8, 1e-6);
  EXPECT_THROW(measured_graph(never, trial(never, 0.02)), ConfigurationError);
}

TEST(MeasuredGraph, SeesTheEdgeThatIsSlow) {
  const Topology meant = Topology::make("ring", 8);
  const auto rate = [](const Topology& graph) {
    for (const Edge& edge : graph.edges())
      if (edge.a == 0 && edge.b == 1) return edge.rate;
    return 0.0;
  };
  const Topology measured = measured_graph(meant, trial(meant, 10.0));
  EXPECT_LT(rate(measured), 0.15);
  EXPECT_GT(measured.constants().chi1, meant.constants().chi1);
}

TEST(MeasuredConstants, KeepTheWallClockStableWhereFewMeetingsAreDelivered) {
  GossipOptions options;
  options.clock = "wall";
  options.policy = "memoryless";
  options.delivered = 0.3;
  options.most_meetings = 1500.0;
  int reached = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    options.seed = seed;
    options.constants = "paper";
    EXPECT_FALSE(run_gossip(Topology::make("ring", 64), options).reached) << seed;
    options.constants = "measured";
    reached += run_gossip(Topology::make("ring", 64), options).reached ? 1 : 0;
  }
  EXPECT_EQ(reached, 4);
}

}  // namespace
}  // namespace duet::simulation
