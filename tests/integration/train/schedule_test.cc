#include "schedule.h"

#include <gtest/gtest.h>

#include "progress.h"

namespace {

using samples::cifar10_schedule;
using samples::digits_schedule;
using samples::imagenet_schedule;

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
  const auto schedule = cifar10_schedule(0.1, 8.0, false);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.3), 0.8);
  EXPECT_NEAR(schedule.learning_rate(0.9), 0.01 * 0.8, 1e-12);
}

TEST(Schedule, NeverWarmsUpDownwards) {
  for (const double scale : {0.5, 1.0}) {
    const auto schedule = cifar10_schedule(0.1, scale, false);
    for (const double progress : {0.0, 0.02, 0.05, 0.49})
      EXPECT_DOUBLE_EQ(schedule.learning_rate(progress), 0.1) << scale << " at " << progress;
    EXPECT_DOUBLE_EQ(schedule.learning_rate(0.5), 0.01);
  }
  EXPECT_DOUBLE_EQ(cifar10_schedule(0.1, 1.5, false).learning_rate(0.3), 0.15);
}

TEST(Schedule, DropsThriceOnImageNet) {
  const auto schedule = imagenet_schedule(0.1, 8.0, false);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0.0), 0.1);
  EXPECT_NEAR(schedule.learning_rate(2.5 / 90.0), 0.45, 1e-12);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(5.0 / 90.0), 0.8);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(29.999 / 90.0), 0.8);
  EXPECT_NEAR(schedule.learning_rate(30.0 / 90.0), 0.08, 1e-12);
  EXPECT_NEAR(schedule.learning_rate(59.999 / 90.0), 0.08, 1e-12);
  EXPECT_NEAR(schedule.learning_rate(60.0 / 90.0), 0.008, 1e-12);
  EXPECT_NEAR(schedule.learning_rate(79.999 / 90.0), 0.008, 1e-12);
  EXPECT_NEAR(schedule.learning_rate(80.0 / 90.0), 0.0008, 1e-12);
}

TEST(Schedule, ScalesImageNetDownwardsToo) {
  const auto schedule = imagenet_schedule(0.1, 0.125, false);
  for (const double progress : {0.0, 0.02, 0.3})
    EXPECT_DOUBLE_EQ(schedule.learning_rate(progress), 0.0125) << progress;
  EXPECT_DOUBLE_EQ(imagenet_schedule(0.1, 0.125, true).learning_rate(0.9), 0.0125);
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
