#include "dynamics/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "duet/error.h"

namespace duet::dynamics {
namespace {

TEST(AdaptiveClock, TheFirstMeetingTakesNoTime) {
  EXPECT_EQ(make_clock("adaptive", 1.0)->on_meeting(1e6), 0.0);
}

TEST(AdaptiveClock, SteadyMeetingsCountAsOneOverTheRateWhateverTheirPace) {
  for (const double pace : {1e-4, 0.1, 3600.0}) {
    const auto clock = make_clock("adaptive", 0.25);
    clock->on_meeting(5.0);
    for (int k = 1; k < 100; ++k)
      EXPECT_NEAR(clock->on_meeting(5.0 + k * pace), 4.0, 1e-6);
  }
}

// The rule of the documentation, written out by hand for the first meetings.
TEST(AdaptiveClock, FollowsTheRuleStepByStep) {
  const auto clock = make_clock("adaptive", 2.0);
  EXPECT_EQ(clock->on_meeting(0.0), 0.0);
  EXPECT_DOUBLE_EQ(clock->on_meeting(1.0), 0.5);               // k=1: mean 1
  EXPECT_DOUBLE_EQ(clock->on_meeting(1.5), 0.5 / 0.75 / 2.0);  // k=2: mean (1 + 0.5)/2
  // k=3: 100 enters as 4 × 0.75 = 3: mean 0.75 + (3 − 0.75)/3 = 1.5; 100/1.5 is cut to 2.
  EXPECT_DOUBLE_EQ(clock->on_meeting(101.5), 1.0);
  // k=4: mean 1.5 + (1.5 − 1.5)/4.
  EXPECT_DOUBLE_EQ(clock->on_meeting(103.0), 0.5);
}

TEST(AdaptiveClock, ForgetsWithWeightThreeHundredths) {
  const auto clock = make_clock("adaptive", 1.0);
  double now = 0.0;
  clock->on_meeting(now);
  for (int k = 1; k <= 1000; ++k)
    clock->on_meeting(now += 1.0);
  // From here on every interval is 2: after m of them the mean is 2 − 0.97^m.
  double expected = 1.0;
  for (int m = 1; m <= 50; ++m) {
    expected += 0.03 * (2.0 - expected);
    EXPECT_NEAR(clock->on_meeting(now += 2.0), std::min(2.0 / expected, 2.0), 1e-9) << m;
  }
}

TEST(AdaptiveClock, APlainMeanUntilTheThirtyThird) {
  std::mt19937 engine(1);
  std::uniform_real_distribution<double> interval(0.8, 1.2);  // never near a limit
  const auto clock = make_clock("adaptive", 1.0);
  double now = 0.0, sum = 0.0;
  clock->on_meeting(now);
  for (int k = 1; k <= 33; ++k) {
    const double next = interval(engine);
    sum += next;
    EXPECT_NEAR(clock->on_meeting(now += next), next / (sum / k), 1e-9) << k;
  }
}

TEST(AdaptiveClock, NeverExceedsTwoOverTheRate) {
  std::mt19937 engine(2);
  std::exponential_distribution<double> interval(1.0);
  const auto clock = make_clock("adaptive", 3.0);
  double now = 0.0, total = 0.0;
  for (int k = 0; k < 20'000; ++k) {
    const double dt = clock->on_meeting(now += interval(engine));
    ASSERT_GE(dt, 0.0);
    ASSERT_LE(dt, 2.0 / 3.0);
    total += dt;
  }
  EXPECT_GT(total, 0.8 * 20'000 / 3.0);  // the limit costs some, not most
}

TEST(AdaptiveClock, RecoversFromMeetingsInOneInstantAndFromTimeGoingBackwards) {
  const auto clock = make_clock("adaptive", 1.0);
  EXPECT_EQ(clock->on_meeting(7.0), 0.0);
  EXPECT_EQ(clock->on_meeting(7.0), 0.0);
  EXPECT_EQ(clock->on_meeting(3.0), 0.0);
  double dt = 0.0;
  for (int k = 1; k < 500; ++k)
    dt = clock->on_meeting(3.0 + k);
  EXPECT_NEAR(dt, 1.0, 1e-3);
}

TEST(AdaptiveClock, ANewRateKeepsWhatWasLearntAboutIntervals) {
  const auto clock = make_clock("adaptive", 1.0);
  for (int k = 0; k < 20; ++k)
    clock->on_meeting(k * 5.0);
  clock->set_rate(0.5);
  EXPECT_NEAR(clock->on_meeting(100.0), 2.0, 1e-9);
}

TEST(WallClock, CountsInOwnStepTimes) {
  const auto clock = make_clock("wall", 3.0);
  for (int k = 0; k <= 10; ++k)
    clock->on_step(k * 0.5);
  EXPECT_EQ(clock->on_meeting(10.0), 0.0);
  EXPECT_NEAR(clock->on_meeting(11.0), 2.0, 1e-12);
  EXPECT_NEAR(clock->on_meeting(111.0), 200.0, 1e-9);  // no limit: the paper has none
}

TEST(WallClock, HasNoTimeBeforeTwoStepsHaveEnded) {
  const auto clock = make_clock("wall", 1.0);
  clock->on_meeting(0.0);
  EXPECT_EQ(clock->on_meeting(1.0), 0.0);
  clock->on_step(1.0);
  EXPECT_EQ(clock->on_meeting(2.0), 0.0);
  clock->on_step(3.0);
  EXPECT_NEAR(clock->on_meeting(4.0), 1.0, 1e-12);
}

TEST(MeetingsClock, IsOneOverTheRateAlways) {
  const auto clock = make_clock("meetings", 0.2);
  EXPECT_DOUBLE_EQ(clock->on_meeting(0.0), 5.0);
  EXPECT_DOUBLE_EQ(clock->on_meeting(0.0), 5.0);
  clock->set_rate(2.0);
  EXPECT_DOUBLE_EQ(clock->on_meeting(1e9), 0.5);
}

TEST(MakeClock, NamesWhatThereIs) {
  try {
    make_clock("sundial", 1.0);
    FAIL() << "accepted";
  } catch (const ConfigurationError& error) {
    for (const char* word : {"sundial", "adaptive", "wall", "meetings"}) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  }
}

TEST(MakeClock, RefusesARateThatIsNone) {
  for (const char* name : {"adaptive", "wall", "meetings"}) {
    for (const double rate :
         {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      EXPECT_THROW(make_clock(name, rate), ConfigurationError) << name << rate;
      EXPECT_THROW(make_clock(name, 1.0)->set_rate(rate), ConfigurationError) << name << rate;
    }
  }
}

}  // namespace
}  // namespace duet::dynamics
