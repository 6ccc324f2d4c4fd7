#include <gtest/gtest.h>

#include <string>

#include "duet/topology.h"
#include "simulation/gossip.h"

namespace duet::simulation {
namespace {

struct Mean {
  double meetings = 0.0;
  int reached = 0;
  int runs = 0;
};

/// Meetings per worker until the squared consensus distance fell by 10⁶, mean over seeds.
Mean gossip(const Topology& topology, GossipOptions options, const std::string& algorithm, int seeds = 8) {
  options.algorithm = algorithm;
  Mean mean;
  for (int seed = 1; seed <= seeds; ++seed) {
    options.seed = static_cast<std::uint64_t>(seed);
    const GossipResult result = run_gossip(topology, options);
    ++mean.runs;
    if (!result.reached) continue;
    ++mean.reached;
    mean.meetings += result.meetings;
  }
  if (mean.reached > 0) mean.meetings /= mean.reached;
  return mean;
}

struct Load {
  const char* name;
  double meeting_time;
  bool always_available;
  double baseline, a2cid2;  ///< the design's figures
};

std::ostream& operator<<(std::ostream& out, const Load& load) {
  return out << load.name;
}

class GossipOnARingOf16 : public testing::TestWithParam<Load> {
 protected:
  GossipOptions options() const {
    GossipOptions options;
    options.meeting_time = GetParam().meeting_time;
    options.unlimited_budget = GetParam().always_available;
    return options;
  }
  const Topology ring_ = Topology::make("ring", 16);
};

TEST_P(GossipOnARingOf16, MixesAsFastAsTheDesignSays) {
  const Mean baseline = gossip(ring_, options(), "adpsgd");
  const Mean a2cid2 = gossip(ring_, options(), "a2cid2");
  EXPECT_EQ(baseline.reached, baseline.runs);
  EXPECT_EQ(a2cid2.reached, a2cid2.runs);
  EXPECT_LE(baseline.meetings, 120.0);
  EXPECT_LE(a2cid2.meetings, 55.0);
  EXPECT_LE(baseline.meetings, 1.1 * GetParam().baseline);
  EXPECT_LE(a2cid2.meetings, 1.1 * GetParam().a2cid2);
  RecordProperty("baseline", std::to_string(baseline.meetings));
  RecordProperty("a2cid2", std::to_string(a2cid2.meetings));
}

TEST_P(GossipOnARingOf16, UsesEveryEdge) {
  GossipOptions all = options();
  all.reduction = 0.0;
  all.most_meetings = 300.0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    all.seed = seed;
    EXPECT_GE(run_gossip(ring_, all).least_edge_share(ring_), 0.5);
  }
}

INSTANTIATE_TEST_SUITE_P(Loads, GossipOnARingOf16,
                         testing::Values(Load{"MeetingsTake002", 0.02, false, 110, 44},
                                         Load{"MeetingsTake03", 0.3, false, 103, 42},
                                         Load{"MeetingsTake09", 0.9, false, 89, 39},
                                         Load{"CommunicationBound", 2.0, false, 82, 38},
                                         Load{"AlwaysAvailable", 1.0, true, 82, 35}),
                         [](const auto& load) { return load.param.name; });

TEST(Gossip, FirstComeFirstServedFallsApartWhereHoldOffMixes) {
  const Topology ring = Topology::make("ring", 16);
  GossipOptions options;
  options.unlimited_budget = true;
  options.meeting_time = 1.0;
  options.policy = "fifo";
  options.most_meetings = 1000.0;
  EXPECT_EQ(gossip(ring, options, "adpsgd", 3).reached, 0);
  EXPECT_EQ(gossip(ring, options, "a2cid2", 3).reached, 0);
}

TEST(Gossip, MemorylessMeetingsAgreeWithTheTheory) {
  const Topology ring = Topology::make("ring", 16);
  GossipOptions options;
  options.policy = "memoryless";
  EXPECT_NEAR(gossip(ring, options, "adpsgd").meetings, 158.0, 16.0);
  EXPECT_NEAR(gossip(ring, options, "a2cid2").meetings, 61.0, 6.0);
}

TEST(Gossip, ConvergesWhereAQuarterOfTheEdgesIsFiveTimesSlower) {
  const Topology ring = Topology::make("ring", 16);
  GossipOptions options;
  options.meeting_time = 2.0;
  options.slow_edges = 0.25;
  EXPECT_LE(gossip(ring, options, "adpsgd").meetings, 1.15 * 134.0);
  EXPECT_LE(gossip(ring, options, "a2cid2").meetings, 1.15 * 52.0);
}

TEST(Gossip, ALongerRingAPathAndAnExponentialGraph) {
  GossipOptions short_meetings;
  EXPECT_LE(gossip(Topology::make("ring", 64), short_meetings, "a2cid2", 2).meetings, 1.15 * 174.0);
  EXPECT_LE(gossip(Topology::make("path", 16), short_meetings, "a2cid2", 4).meetings, 1.15 * 86.0);
  GossipOptions long_meetings;
  long_meetings.meeting_time = 2.0;
  EXPECT_LE(gossip(Topology::make("exponential", 32), long_meetings, "a2cid2", 4).meetings, 1.15 * 22.0);
}

TEST(Gossip, TheLatencyOfMessagesCostsNoMixing) {
  GossipOptions options;
  options.latency = options.latency_spread = 0.01;  // half a short meeting
  EXPECT_LE(gossip(Topology::make("ring", 16), options, "a2cid2").meetings, 50.0);
}

TEST(Gossip, IsRepeatable) {
  const Topology ring = Topology::make("ring", 16);
  GossipOptions options;
  options.seed = 5;
  const GossipResult first = run_gossip(ring, options), second = run_gossip(ring, options);
  EXPECT_EQ(first.meetings, second.meetings);
  EXPECT_EQ(first.squared_distance, second.squared_distance);
  EXPECT_EQ(first.edge_meetings, second.edge_meetings);
  EXPECT_EQ(first.messages, second.messages);
}

}  // namespace
}  // namespace duet::simulation
