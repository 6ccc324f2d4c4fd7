#include "schedule.h"

#include <gtest/gtest.h>

#include "progress.h"

namespace {

using samples::cifar10_schedule;
using samples::digits_schedule;

TEST(Schedule, WarmsUpAndDropsTwice) {
  const auto schedule = digits_schedule(0.05, false);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.0), 0.005);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.025), 0.0275);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.05), 0.05);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.499), 0.05);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.5), 0.005);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.749), 0.005);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.75), 0.0005);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(1.0), 0.0005);
}

TEST(Schedule, TakesProgressBeyondTheEndsAsTheEnds) {
  const auto schedule = digits_schedule(0.05, false);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(-0.1), schedule.learning_rate(0.0));
  EXPECT_DOUBLE_EQ(schedule.learning_rate(1.1), schedule.learning_rate(1.0));
}

TEST(Schedule, ScalesCifarWithTheSamplesPerStep) {
  const auto schedule = cifar10_schedule(0.1, 16, 128, false);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.3), 0.1 * 16 * 128 / 256);
  EXPECT_NEAR(schedule.learning_rate(0.9), 0.01 * 0.1 * 16 * 128 / 256, 1e-12);
}

TEST(Schedule, NeverWarmsUpDownwards) {
  for (const int workers : {1, 2}) {
    const auto schedule = cifar10_schedule(0.1, workers, 128, false);
    for (const double progress : {0.0, 0.02, 0.05, 0.49})
      EXPECT_DOUBLE_EQ(schedule.learning_rate(progress), 0.1) << workers << " workers at " << progress;
    EXPECT_DOUBLE_EQ(schedule.learning_rate(0.5), 0.01);
  }
  EXPECT_DOUBLE_EQ(cifar10_schedule(0.1, 3, 128, false).learning_rate(0.3), 0.15);
}

TEST(Schedule, StaysWhereItIsWhenConstant) {
  const auto schedule = digits_schedule(0.05, true);
  for (const double progress : {0.0, 0.02, 0.4, 0.6, 0.9})
    EXPECT_DOUBLE_EQ(schedule.learning_rate(progress), 0.05);
}

TEST(Progress, GoesOnBetweenNewsAndNeverFalls) {
  samples::Progress progress;
  EXPECT_DOUBLE_EQ(progress.samples(0, 0, 4), 0.0);
  EXPECT_DOUBLE_EQ(progress.samples(0, 16, 4), 64.0);
  EXPECT_DOUBLE_EQ(progress.samples(40, 32, 4), 64.0);  // less than it had thought
  EXPECT_DOUBLE_EQ(progress.samples(40, 48, 4), 40.0 + 64.0);
  EXPECT_DOUBLE_EQ(progress.samples(200, 64, 4), 200.0);
  EXPECT_DOUBLE_EQ(progress.samples(200, 80, 3), 248.0);
}

TEST(Progress, OfOneWorkerIsItsOwn) {
  samples::Progress progress;
  for (std::uint64_t own : {16, 32, 48})
    EXPECT_DOUBLE_EQ(progress.samples(own, own, 1), static_cast<double>(own));
}

}  // namespace
