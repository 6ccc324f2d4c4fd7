#include "rate_window.h"

#include <gtest/gtest.h>

namespace duet::observer {
namespace {

TEST(RateWindow, NeedsTwoValuesThatLieApart) {
  RateWindow window(5.0);
  EXPECT_FALSE(window.rate());
  window.add(10.0, 100);
  EXPECT_FALSE(window.rate());
  window.add(10.0, 200);
  EXPECT_FALSE(window.rate());
  window.add(12.0, 110);
  EXPECT_DOUBLE_EQ(window.rate().value(), 5.0);
}

TEST(RateWindow, ForgetsWhatIsOlderThanTheWindow) {
  RateWindow window(5.0);
  for (int i = 0; i <= 100; ++i)
    window.add(0.2 * i, static_cast<std::uint64_t>(i < 50 ? 10 * i : 500));
  EXPECT_DOUBLE_EQ(window.rate().value(), 0.0);
}

TEST(RateWindow, CoversTheWholeWindow) {
  RateWindow window(5.0, 8);
  for (int i = 0; i <= 1000; ++i)
    window.add(0.01 * i, static_cast<std::uint64_t>(i));
  const auto increase = window.increase().value();
  EXPECT_GE(increase.seconds, 5.0);
  EXPECT_LE(increase.seconds, 5.0 * (1.0 + 2.0 / 8.0));
  EXPECT_NEAR(window.rate().value(), 100.0, 1e-6);
}

TEST(RateWindow, ARestartedCounterMakesNoNegativeAndNoHugeRate) {
  RateWindow window(5.0);
  for (int i = 0; i < 20; ++i)
    window.add(i * 0.5, 1000u + static_cast<std::uint64_t>(i));
  window.add(10.0, 3);  // another life
  EXPECT_FALSE(window.rate());
  window.add(11.0, 5);
  EXPECT_DOUBLE_EQ(window.rate().value(), 2.0);
}

TEST(RateWindow, AClockThatWasSetBackRestartsIt) {
  RateWindow window(5.0);
  window.add(100.0, 10);
  window.add(101.0, 20);
  window.add(100.5, 15);  // counts fall, too: the frames were swapped on the way, or worse
  window.add(50.0, 30);
  EXPECT_FALSE(window.rate());
  window.add(51.0, 31);
  EXPECT_DOUBLE_EQ(window.rate().value(), 1.0);
}

}  // namespace
}  // namespace duet::observer
