#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "duet/error.h"
#include "simulation/conditions.h"

namespace duet::simulation {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kDraws = 20000;

struct Moments {
  double mean = 0.0;
  double deviation = 0.0;
  double smallest = 1e300;
};

Moments steps(const Conditions& conditions, int worker = 0) {
  const Network network(Topology::make("ring", 8), conditions, 1);
  Random chance(7);
  Moments moments;
  double squares = 0.0;
  for (int k = 0; k < kDraws; ++k) {
    const double time = network.step_time(worker, chance);
    moments.mean += time / kDraws;
    squares += time * time / kDraws;
    moments.smallest = std::min(moments.smallest, time);
  }
  moments.deviation = std::sqrt(squares - moments.mean * moments.mean);
  return moments;
}

TEST(Conditions, StepsTakeOneOnAverageHoweverTheyAreSpread) {
  for (const char* kind : {"uniform", "lognormal", "poisson", "constant"}) {
    Conditions conditions;
    conditions.compute = kind;
    conditions.step_spread = 0.5;
    const Moments moments = steps(conditions);
    EXPECT_NEAR(moments.mean, 1.0, 0.02) << kind;
    EXPECT_GT(moments.smallest, 0.0) << kind;
  }
}

TEST(Conditions, TheSpreadIsTheKindsOwn) {
  Conditions conditions;
  conditions.compute = "lognormal";
  conditions.step_spread = 0.7;
  EXPECT_NEAR(steps(conditions).deviation, 0.7, 0.04);
  conditions.compute = "poisson";
  EXPECT_NEAR(steps(conditions).deviation, 1.0, 0.04);
  conditions.compute = "uniform";
  EXPECT_NEAR(steps(conditions).deviation, 0.7 / std::sqrt(3.0), 0.02);
  conditions.compute = "constant";
  EXPECT_NEAR(steps(conditions).deviation, 0.0, 1e-6);
}

TEST(Conditions, StragglersAreAsManyAsAskedForAndSoMuchSlower) {
  Conditions conditions;
  conditions.stragglers = 3;
  conditions.straggler_factor = 10.0;
  const Network network(Topology::make("ring", 8), conditions, 5);
  int count = 0;
  for (int worker = 0; worker < 8; ++worker) {
    if (!network.straggles(worker)) continue;
    ++count;
    Random chance(1);
    double sum = 0.0;
    for (int k = 0; k < 1000; ++k)
      sum += network.step_time(worker, chance) / 1000.0;
    EXPECT_NEAR(sum, 10.0, 0.2);
  }
  EXPECT_EQ(count, 3);
}

TEST(Conditions, SlowEdgesAreThatShareOfAllAndTheSameInBothDirections) {
  Conditions conditions;
  conditions.slow_edges = 0.25;
  conditions.slow_factor = 5.0;
  conditions.meeting_spread = 0.0;
  const Topology ring = Topology::make("ring", 16);
  const Network network(ring, conditions, 3);
  Random chance(1);
  int slow = 0;
  for (const Edge& edge : ring.edges()) {
    const double time = network.meeting_time(edge.a, edge.b, chance);
    EXPECT_EQ(time, network.meeting_time(edge.b, edge.a, chance));
    slow += time > 2.0 * conditions.meeting_time ? 1 : 0;
  }
  EXPECT_EQ(slow, 4);
}

TEST(Conditions, BandwidthAddsToTheTimeOfAMeeting) {
  Conditions conditions;
  conditions.meeting_time = 0.1;
  conditions.meeting_spread = 0.0;
  conditions.bytes = 1e8;
  conditions.bandwidth = 1e9;
  Random chance(1);
  EXPECT_NEAR(Network(Topology::make("ring", 4), conditions, 1).meeting_time(0, 1, chance), 0.2, 1e-12);
}

TEST(Conditions, WhoDiesIsDrawnOnceEachAndInTheOrderOfTime) {
  Conditions conditions;
  conditions.crashes = 6;
  const Network network(Topology::make("ring", 8), conditions, 9);
  ASSERT_EQ(network.crashes().size(), 6U);
  std::vector<int> who;
  double last = 0.0;
  for (const Network::Crash& crash : network.crashes()) {
    who.push_back(crash.worker);
    EXPECT_GE(crash.at, last);
    EXPECT_LT(crash.at, 1.0);
    last = crash.at;
  }
  std::sort(who.begin(), who.end());
  EXPECT_EQ(std::unique(who.begin(), who.end()), who.end());
}

TEST(Conditions, WhatCannotBeIsRefusedByName) {
  const auto message = [](const Conditions& conditions) {
    try {
      Network(Topology::make("ring", 8), conditions, 1);
    } catch (const ConfigurationError& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  Conditions conditions;
  conditions.compute = "gamma";
  EXPECT_THAT(message(conditions), HasSubstr("gamma"));
  conditions = {};
  conditions.slow_edges = 1.5;
  EXPECT_THAT(message(conditions), HasSubstr("slow edges"));
  conditions = {};
  conditions.stragglers = 9;
  EXPECT_THAT(message(conditions), HasSubstr("9 stragglers"));
  conditions = {};
  conditions.crashes = 7;
  EXPECT_THAT(message(conditions), HasSubstr("two must be left"));
  conditions = {};
  conditions.step_spread = 1.0;
  EXPECT_THAT(message(conditions), HasSubstr("before they begin"));
  conditions = {};
  conditions.meeting_time = std::nan("");
  EXPECT_THAT(message(conditions), HasSubstr("time of a meeting"));
  conditions = {};
  conditions.loss = -0.1;
  EXPECT_THAT(message(conditions), HasSubstr("loss"));
}

TEST(Conditions, WhatLetsTimeStandStillIsRefusedByItsOption) {
  struct Case {
    const char* option;
    void (*set)(Conditions&);
  };
  const Case cases[] = {
      {"--stragglers", [](Conditions& c) { c.straggler_factor = 1e-20; }},
      {"--stragglers", [](Conditions& c) { c.straggler_factor = 9e-4; }},
      {"--stragglers", [](Conditions& c) { c.straggler_factor = 2e6; }},
      {"--spread",
       [](Conditions& c) {
         c.compute = "lognormal";
         c.step_spread = 1e160;
       }},
      {"--spread",
       [](Conditions& c) {
         c.compute = "lognormal";
         c.step_spread = 10.1;
       }},
      {"--latency", [](Conditions& c) { c.latency = 0.0; }},
      {"--latency", [](Conditions& c) { c.latency = 1e-300; }},
  };
  for (const Case& refused : cases) {
    Conditions conditions;
    refused.set(conditions);
    try {
      Network(Topology::make("ring", 8), conditions, 1);
      ADD_FAILURE() << refused.option << " was taken";
    } catch (const ConfigurationError& error) {
      EXPECT_THAT(error.what(), HasSubstr(refused.option));
      EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    }
  }
  // The last that are taken.
  Conditions conditions;
  conditions.compute = "lognormal";
  conditions.step_spread = 10.0;
  for (const double factor : {1e-3, 1e6}) {
    conditions.straggler_factor = factor;
    EXPECT_NO_THROW(Network(Topology::make("ring", 8), conditions, 1));
  }
}

}  // namespace
}  // namespace duet::simulation
