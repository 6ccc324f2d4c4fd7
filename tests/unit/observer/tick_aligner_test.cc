#include "tick_aligner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace duet::observer {
namespace {

TickReport report(std::uint64_t tick, int rank, int members, double consensus = 1.0, double distance = 1.0) {
  return {tick, static_cast<double>(tick), rank, members, consensus, distance};
}

TEST(TickAligner, ClosesATickWhenAllHaveReported) {
  TickAligner aligner(2.0);
  EXPECT_TRUE(aligner.add(0.0, report(7, 0, 3, 0.5, 0.3)));
  EXPECT_TRUE(aligner.add(0.1, report(7, 2, 3, 0.5, 0.7)));
  EXPECT_TRUE(aligner.take(0.1).empty());
  EXPECT_FALSE(aligner.add(0.2, report(7, 2, 3)));  // twice
  EXPECT_TRUE(aligner.add(0.2, report(7, 1, 3, 0.5, 0.4)));
  const auto closed = aligner.take(0.2);
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].tick, 7u);
  EXPECT_DOUBLE_EQ(closed[0].mean, 0.5);
  EXPECT_DOUBLE_EQ(closed[0].max, 0.7);
  EXPECT_EQ(closed[0].max_rank, 2);
  EXPECT_EQ(closed[0].members, 3);
  ASSERT_EQ(closed[0].workers.size(), 3u);
  EXPECT_EQ(closed[0].workers[1].rank, 1);
}

TEST(TickAligner, WaitsForSilentWorkersNoLongerThanItsPatience) {
  TickAligner aligner(2.0);
  aligner.add(0.0, report(7, 0, 3));
  EXPECT_TRUE(aligner.take(1.9).empty());
  const auto closed = aligner.take(2.0);
  ASSERT_EQ(closed.size(), 1u);
  EXPECT_EQ(closed[0].members, 3);
  EXPECT_EQ(closed[0].workers.size(), 1u);
  EXPECT_FALSE(aligner.add(2.1, report(7, 1, 3)));
  EXPECT_EQ(aligner.late(), 1u);
}

TEST(TickAligner, KeepsOrderAndCountsWhatIsMissing) {
  TickAligner aligner(2.0);
  aligner.add(0.0, report(10, 0, 2));
  aligner.add(0.5, report(14, 0, 2));
  aligner.add(0.5, report(14, 1, 2));
  EXPECT_TRUE(aligner.take(0.5).empty());  // 10 comes first
  const auto closed = aligner.take(2.0);
  ASSERT_EQ(closed.size(), 2u);
  EXPECT_EQ(closed[0].tick, 10u);
  EXPECT_EQ(closed[1].tick, 14u);
  EXPECT_EQ(aligner.missed(), 3u);
}

TEST(TickAligner, AWrongClockOfOneWorkerDoesNotStopTheOthers) {
  TickAligner aligner(1.0);
  double now = 0.0;
  std::size_t closed = 0;
  for (std::uint64_t tick = 100; tick < 200; ++tick, now += 1.0) {
    aligner.add(now, report(tick, 0, 3));
    aligner.add(now, report(tick, 1, 3));
    aligner.add(now, report(tick + 1'000'000, 2, 3));
    closed += aligner.take(now).size();
  }
  EXPECT_GE(closed, 98u);
  EXPECT_EQ(aligner.missed(), 0u);
}

TEST(TickAligner, FollowsClocksThatWereSetBack) {
  TickAligner aligner(1.0);
  double now = 0.0;
  for (std::uint64_t tick = 5000; tick < 5010; ++tick, now += 1.0) {
    aligner.add(now, report(tick, 0, 1));
    aligner.take(now);
  }
  std::size_t closed = 0;
  for (std::uint64_t tick = 1000; tick < 1030; ++tick, now += 1.0) {
    aligner.add(now, report(tick, 0, 1));
    closed += aligner.take(now).size();
  }
  EXPECT_GE(closed, 15u);
  EXPECT_EQ(aligner.missed(), 0u);
}

TEST(TickAligner, HoldsABoundedNumberOfTicks) {
  TickAligner aligner(1e9);
  std::size_t closed = 0;
  for (std::uint64_t tick = 1; tick < 1000; ++tick) {
    aligner.add(0.0, report(tick, 0, 2));
    closed += aligner.take(0.0).size();
  }
  EXPECT_GE(closed, 900u);
}

TEST(ConsensusEstimator, TheLargestPartStandsWhenTheRunHasFallenApart) {
  const auto sample = estimate_consensus({report(1, 0, 2, 9.0, 8.0), report(1, 2, 3, 1.5, 0.5),
                                          report(1, 1, 2, 9.0, 7.0), report(1, 3, 3, 1.5, 2.0)});
  EXPECT_DOUBLE_EQ(sample.mean, 1.5);
  EXPECT_EQ(sample.members, 3);
  ASSERT_EQ(sample.workers.size(), 2u);
  EXPECT_EQ(sample.workers[0].rank, 2);
  EXPECT_EQ(sample.max_rank, 3);
}

TEST(ConsensusEstimator, WhatIsNotFiniteIsShownAndNamesItsRank) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto sample =
      estimate_consensus({report(1, 0, 3, nan, 8.0), report(1, 1, 3, nan, nan), report(1, 2, 3, nan, 9.0)});
  EXPECT_TRUE(std::isnan(sample.mean));
  EXPECT_TRUE(std::isnan(sample.max));
  EXPECT_EQ(sample.max_rank, 1);
  EXPECT_EQ(sample.workers.size(), 3u);
}

}  // namespace
}  // namespace duet::observer
