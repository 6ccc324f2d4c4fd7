#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "duet/error.h"
#include "duet/topology.h"
#include "topology/present_graph.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using topology::PresentGraph;

std::vector<int> all_but(int workers, const std::vector<int>& gone) {
  std::vector<int> members(static_cast<std::size_t>(workers));
  std::iota(members.begin(), members.end(), 0);
  for (const int rank : gone)
    std::erase(members, rank);
  return members;
}

std::vector<int> partners(const PresentGraph& graph, int rank) {
  std::vector<int> ranks;
  for (const Neighbour& neighbour : graph.neighbours(rank))
    ranks.push_back(neighbour.worker);
  return ranks;
}

TEST(NamedPolicy, ARingClosesOverTheGap) {
  const PresentGraph graph(*named_policy("ring", 6, 2.0), all_but(6, {2, 5}));
  EXPECT_THAT(partners(graph, 1), ElementsAre(0, 3));
  EXPECT_THAT(partners(graph, 3), ElementsAre(1, 4));
  EXPECT_THAT(partners(graph, 4), ElementsAre(0, 3));
  EXPECT_THAT(partners(graph, 2), ElementsAre()) << "it is not there";
  EXPECT_DOUBLE_EQ(graph.topology().rate_of(0), 2.0);
  EXPECT_TRUE(graph.topology().has_closed_form());
}

TEST(NamedPolicy, TheWholeRunMeetsOnTheGraphThatWasAskedFor) {
  const auto policy = named_policy("hypercube", 8);
  EXPECT_EQ(policy->graph(all_but(8, {})).edges(), Topology::make("hypercube", 8).edges());
}

TEST(NamedPolicy, WhatSoFewDoNotMakeKeepsTheEdgesThatAreLeft) {
  const PresentGraph graph(*named_policy("hypercube", 8), all_but(8, {0}));
  EXPECT_THAT(partners(graph, 7), ElementsAre(3, 5, 6));
  EXPECT_THAT(partners(graph, 1), ElementsAre(3, 5));
  EXPECT_THAT(graph.topology().name(), HasSubstr("hypercube without 1 of 8"));
  EXPECT_FALSE(graph.topology().has_closed_form());
}

TEST(NamedPolicy, AnUnknownGraphIsRefusedAtOnce) {
  EXPECT_THROW(named_policy("triangle", 3), ConfigurationError);
  EXPECT_THROW(named_policy("hypercube", 6), ConfigurationError);
}

TEST(FixedPolicy, PartsThatDoNotHangTogetherAreTied) {
  // Two pairs and a bridge; without the bridge's ends nothing joins 0 and 1, or 4 and 5.
  const Topology graph = Topology::from_edges(
      6, {{0, 1, 1.0}, {1, 2, 0.5}, {2, 3, 0.25}, {3, 4, 0.5}, {4, 5, 1.0}}, "two pairs");
  const PresentGraph left(*fixed_policy(graph), {0, 1, 4, 5});
  EXPECT_EQ(left.topology().edges(), (std::vector<Edge>{{0, 1, 1.0}, {0, 2, 0.25}, {2, 3, 1.0}}));
  EXPECT_THAT(partners(left, 4), ElementsAre(0, 5));
}

TEST(FixedPolicy, EveryRemainderIsConnectedWhoeverGoes) {
  for (const char* name : {"path", "star", "exponential", "torus:3x4"}) {
    const auto policy = fixed_policy(Topology::make(name, 12));
    for (unsigned mask = 1; mask < (1U << 12); ++mask) {
      std::vector<int> members;
      for (int rank = 0; rank < 12; ++rank) {
        if ((mask >> rank & 1U) != 0) members.push_back(rank);
      }
      if (members.size() < 2) continue;
      // from_edges() throws unless it is connected.
      ASSERT_EQ(policy->graph(members).workers(), static_cast<int>(members.size())) << name << " " << mask;
    }
  }
}

TEST(FixedPolicy, RanksThatWereNeverThereAreRefused) {
  EXPECT_THROW(fixed_policy(Topology::make("ring", 4))->graph({1, 7}), ConfigurationError);
}

TEST(PresentGraph, OneAloneHasNobody) {
  const PresentGraph graph(*named_policy("ring", 4), {2});
  EXPECT_TRUE(graph.neighbours(2).empty());
}

TEST(PresentGraph, AGraphOfAnotherSizeIsRefused) {
  class Wrong : public TopologyPolicy {
    Topology graph(const std::vector<int>&) const override { return Topology::make("ring", 5); }
  };
  try {
    PresentGraph graph(Wrong(), {0, 1, 2});
    FAIL();
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("graph of 3 workers and gave one of 5"));
  }
}

TEST(ConstantsInTime, AreThoseOfBeforeWhereTheyWouldTakeTooLong) {
  Constants before;
  before.chi1 = 42.0;
  const auto large = fixed_policy(Topology::make("ring", 600))->graph(all_but(600, {3}));
  EXPECT_EQ(topology::constants_in_time(large, before).chi1, 42.0);
  const auto small = fixed_policy(Topology::make("ring", 6))->graph(all_but(6, {3}));
  EXPECT_DOUBLE_EQ(topology::constants_in_time(small, before).chi1, small.dense_constants().chi1);
  EXPECT_DOUBLE_EQ(topology::constants_in_time(Topology::make("ring", 5000), before).chi1,
                   Topology::make("ring", 5000).constants().chi1);
}

}  // namespace
}  // namespace duet
