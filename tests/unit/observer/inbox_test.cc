#include "inbox.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace duet::observer {
namespace {

TEST(Inbox, HandsOutInOrderAndAtMostWhatWasAsked) {
  Inbox inbox(1 << 20);
  for (int i = 0; i < 5; ++i)
    inbox.put({static_cast<double>(i), std::to_string(i)});
  std::vector<Arrival> taken;
  EXPECT_TRUE(inbox.take(3, taken));
  EXPECT_FALSE(inbox.take(3, taken));
  ASSERT_EQ(taken.size(), 5u);
  EXPECT_EQ(taken[4].bytes, "4");
  EXPECT_EQ(inbox.totals().frames, 5u);
}

TEST(Inbox, ASlowReaderLosesTheOldestAndItIsCounted) {
  Inbox inbox(10'000);
  for (int i = 0; i < 100; ++i)
    inbox.put({static_cast<double>(i), std::string(936, 'x')});
  std::vector<Arrival> taken;
  inbox.take(1000, taken);
  EXPECT_EQ(taken.size(), 10u);
  EXPECT_DOUBLE_EQ(taken.front().time, 90.0);
  EXPECT_EQ(inbox.totals().dropped, 90u);
}

TEST(Inbox, OneThreadPutsWhileAnotherTakes) {
  Inbox inbox(1 << 30);
  std::thread writer([&] {
    for (int i = 0; i < 20000; ++i)
      inbox.put({static_cast<double>(i), "frame"});
  });
  std::vector<Arrival> taken;
  while (taken.size() < 20000)
    inbox.take(100, taken);
  writer.join();
  for (std::size_t i = 0; i < taken.size(); ++i)
    ASSERT_DOUBLE_EQ(taken[i].time, static_cast<double>(i));
}

}  // namespace
}  // namespace duet::observer
