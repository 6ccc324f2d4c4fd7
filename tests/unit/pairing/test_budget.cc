#include <gtest/gtest.h>

#include <cmath>

#include "pairing/budget.h"
#include "pairing/pace.h"

namespace duet::pairing {
namespace {

TEST(Budget, AddsExactlyTheRatePerStepWhenDeterministic) {
  Random random(1);
  Budget budget(1.0 / 15.0, true, false);
  int meetings = 0;
  for (int step = 1; step <= 1500; ++step) {
    budget.on_step(random);
    if (!budget.has_one()) continue;
    EXPECT_EQ(step % 15, 0) << "fifteen times 1/15 is one meeting, not almost one";
    budget.spend();
    ++meetings;
  }
  EXPECT_EQ(meetings, 100);
}

TEST(Budget, DrawsFromPoissonOtherwise) {
  Random random(2);
  Budget budget(0.8, false, false);
  double sum = 0.0, squares = 0.0;
  const int steps = 20000;
  for (int step = 0; step < steps; ++step) {
    budget.on_step(random);
    const double drawn = budget.value() + static_cast<double>(budget.shed());
    EXPECT_EQ(drawn, std::floor(drawn));
    static double before = 0.0;
    const double added = drawn - before;
    before = drawn;
    sum += added;
    squares += added * added;
  }
  const double mean = sum / steps;
  EXPECT_NEAR(mean, 0.8, 0.03);
  EXPECT_NEAR(squares / steps - mean * mean, 0.8, 0.05);
}

TEST(Budget, ShedsAndCountsWhatExceedsThreeStepsWorth) {
  Random random(3);
  for (const auto& [rate, cap] :
       {std::pair{0.1, 3.0}, std::pair{1.0, 3.0}, std::pair{1.1, 4.0}, std::pair{2.0, 6.0}}) {
    Budget budget(rate, true, false);
    EXPECT_EQ(budget.cap(), cap);
    for (int step = 0; step < 100; ++step)
      budget.on_step(random);
    EXPECT_NEAR(budget.value(), cap, 1e-9);
    EXPECT_EQ(budget.shed(), static_cast<std::uint64_t>(std::floor(100 * rate - cap + 1e-6)));
  }
}

TEST(Budget, IsNeverSpentWhenUnlimited) {
  Random random(4);
  Budget budget(1.0, false, true);
  for (int k = 0; k < 100; ++k)
    budget.spend();
  EXPECT_TRUE(budget.has_one());
  EXPECT_TRUE(std::isinf(budget.value()));
  EXPECT_EQ(budget.shed(), 0u);
  budget.close();
  EXPECT_FALSE(budget.has_one());
}

TEST(Budget, ShedsWhenTheRateFalls) {
  Random random(5);
  Budget budget(4.0, true, false);
  for (int step = 0; step < 3; ++step)
    budget.on_step(random);
  EXPECT_EQ(budget.value(), 12.0);
  budget.set_rate(2.0);
  EXPECT_EQ(budget.value(), 6.0);
  EXPECT_EQ(budget.shed(), 6u);
}

TEST(RunningMean, WeighsTheFirstValuesEquallyAndForgetsLater) {
  RunningMean mean;
  EXPECT_FALSE(mean.known());
  EXPECT_EQ(mean.value(), 0.0);
  for (const double value : {1.0, 2.0, 3.0})
    mean.add(value);
  EXPECT_NEAR(mean.value(), 2.0, 1e-12);
  for (int k = 0; k < 500; ++k)
    mean.add(5.0);
  EXPECT_NEAR(mean.value(), 5.0, 1e-4);
}

TEST(RunningMean, TakesAnOutlierAsFourTimesTheMean) {
  RunningMean mean;
  mean.add(1.0);
  mean.add(1000.0);
  EXPECT_NEAR(mean.value(), 2.5, 1e-12);
}

TEST(IntervalMean, SharesTheTimeAmongStepsThatWereSeenAtOnce) {
  IntervalMean steps;
  // Ten steps a second, of which the communication thread learns once a second.
  for (int second = 0; second < 300; ++second)
    for (int step = 0; step < 10; ++step)
      steps.event(second);
  EXPECT_NEAR(steps.mean().value(), 0.1, 1e-9);
}

}  // namespace
}  // namespace duet::pairing
