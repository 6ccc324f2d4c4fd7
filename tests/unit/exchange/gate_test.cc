#include "exchange/gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace duet::exchange {
namespace {

using std::chrono::milliseconds;

TEST(Gate, LetsTheCommunicationThreadInWhenNobodyIsThere) {
  Gate gate;
  EXPECT_TRUE(gate.enter_communication(0));
  gate.leave_communication();
  EXPECT_TRUE(gate.enter_communication(0));
  gate.leave_communication();
}

TEST(Gate, TurnsTheCommunicationThreadAwayAtOnceOrAfterItsPatience) {
  Gate gate;
  gate.enter_trainer();
  EXPECT_FALSE(gate.enter_communication(0));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(gate.enter_communication(0.02));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(19));
  gate.leave_trainer();
  EXPECT_TRUE(gate.enter_communication(0));
  gate.leave_communication();
}

TEST(Gate, LetsATrainerThatWaitsGoBeforeTheNextBlock) {
  Gate gate;
  ASSERT_TRUE(gate.enter_communication(0));
  std::atomic<bool> trained{false};
  std::thread trainer([&] {
    gate.enter_trainer();
    trained = true;
    gate.leave_trainer();
  });
  // However the threads are scheduled: once it has been seen to wait, the next block does not go first.
  std::this_thread::sleep_for(milliseconds(50));
  gate.leave_communication();
  EXPECT_TRUE(gate.enter_communication(10));
  EXPECT_TRUE(trained);
  gate.leave_communication();
  trainer.join();
}

TEST(Gate, LetsAWaitingCommunicationThreadInThoughTheTrainerComesBackAtOnce) {
  Gate gate;
  std::atomic<bool> stop{false};
  std::thread trainer([&] {
    while (!stop) {
      gate.enter_trainer();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      gate.leave_trainer();
    }
  });
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(gate.enter_communication(10)) << "block " << i;
    gate.leave_communication();
  }
  stop = true;
  trainer.join();
}

TEST(Gate, MakesTheTrainerWaitForOneBlockAtMost) {
  Gate gate;
  std::atomic<bool> stop{false};
  std::atomic<int> blocks{0};
  std::thread communication([&] {
    while (!stop) {
      if (!gate.enter_communication(0.001)) continue;
      ++blocks;
      std::this_thread::sleep_for(milliseconds(1));
      gate.leave_communication();
    }
  });
  int most = 0;
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    const int before = blocks;
    gate.enter_trainer();
    most = std::max(most, blocks - before);
    gate.leave_trainer();
  }
  stop = true;
  communication.join();
  // One that was inside may have been counted just after `before` was read; one more was in before the
  // trainer came.
  EXPECT_LE(most, 2);
}

TEST(Gate, KeepsThemApart) {
  Gate gate;
  long guarded = 0;  // not atomic: the sanitizer watches it
  constexpr int kTimes = 20000;
  std::thread trainer([&] {
    for (int i = 0; i < kTimes; ++i) {
      gate.enter_trainer();
      ++guarded;
      gate.leave_trainer();
    }
  });
  int entered = 0;
  for (int i = 0; i < kTimes; ++i) {
    if (!gate.enter_communication(i % 2 == 0 ? 0.0 : 0.001)) continue;
    ++guarded;
    ++entered;
    gate.leave_communication();
  }
  trainer.join();
  EXPECT_EQ(guarded, kTimes + entered);
  EXPECT_GT(entered, 0);
}

}  // namespace
}  // namespace duet::exchange
