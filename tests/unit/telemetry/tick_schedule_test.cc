#include "telemetry/tick_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace duet::telemetry {
namespace {

TEST(TickSchedule, EveryTickWhileSamplesAreQuick) {
  TickSchedule schedule;
  for (std::uint64_t tick = 1; tick < 100; ++tick) {
    EXPECT_TRUE(schedule.due(tick));
    schedule.took(0.3);
  }
}

TEST(TickSchedule, GrowsAtOnceAndShrinksWhenConvinced) {
  TickSchedule schedule;
  schedule.took(2.1);
  EXPECT_EQ(schedule.stride(), 4U);
  EXPECT_TRUE(schedule.due(8));
  EXPECT_FALSE(schedule.due(6));
  for (int i = 0; i < 7; ++i)
    schedule.took(0.1);
  schedule.took(3.0);  // not convinced: counted anew
  for (int i = 0; i < 7; ++i)
    schedule.took(0.1);
  EXPECT_EQ(schedule.stride(), 4U);
  schedule.took(0.1);
  EXPECT_EQ(schedule.stride(), 2U);
}

/// Whatever strides two workers have, the longer one's ticks are the other's, too.
TEST(TickSchedule, WorkersOfDifferentPaceShareTheSlowerOnesTicks) {
  for (const double slow : {0.9, 1.7, 3.3, 7.0, 50.0, 1000.0}) {
    for (const double quick : {0.1, 0.9, 1.7, 3.3}) {
      TickSchedule a;
      TickSchedule b;
      a.took(slow);
      b.took(std::min(slow, quick));
      EXPECT_GE(a.stride(), b.stride());
      EXPECT_LE(a.stride(), TickSchedule::kLargestStride);
      for (std::uint64_t tick = 1; tick < 200; ++tick) {
        EXPECT_TRUE(!a.due(tick) || b.due(tick)) << slow << " and " << quick << ", tick " << tick;
      }
    }
  }
}

}  // namespace
}  // namespace duet::telemetry
