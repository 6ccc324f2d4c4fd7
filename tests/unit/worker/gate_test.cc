#include "exchange/gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace duet::exchange {
namespace {

using std::chrono::milliseconds;

TEST(Gate, LetsOneInAtATime) {
  Gate gate;
  int counter = 0;  // guarded by the gate
  std::atomic<bool> stop{false};
  std::thread communication([&] {
    while (!stop) {
      if (!gate.enter_communication(0.001)) continue;
      ++counter;
      gate.leave_communication();
    }
  });
  constexpr int kRounds = 20000;
  for (int i = 0; i < kRounds; ++i) {
    gate.enter_trainer();
    ++counter;
    gate.leave_trainer();
  }
  stop = true;
  communication.join();
  EXPECT_GE(counter, kRounds);
}

TEST(Gate, TurnsTheCommunicationThreadAwayWhileTheTrainerIsInside) {
  Gate gate;
  gate.enter_trainer();
  EXPECT_FALSE(gate.enter_communication(0.0));
  EXPECT_FALSE(gate.enter_communication(0.01));
  gate.leave_trainer();
  EXPECT_TRUE(gate.enter_communication(0.0));
  gate.leave_communication();
}

TEST(Gate, LetsAWaitingTrainerGoFirst) {
  Gate gate;
  ASSERT_TRUE(gate.enter_communication(0.0));
  std::atomic<bool> inside{false};
  std::atomic<bool> leave{false};
  std::thread trainer([&] {
    gate.enter_trainer();
    inside = true;
    while (!leave)
      std::this_thread::yield();
    gate.leave_trainer();
  });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(inside);
  gate.leave_communication();
  // However quickly the communication thread comes back, the trainer that waited is in before it.
  EXPECT_FALSE(gate.enter_communication(0.0));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!inside && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_TRUE(inside);
  leave = true;
  trainer.join();
  EXPECT_TRUE(gate.enter_communication(0.0));
  gate.leave_communication();
}

}  // namespace
}  // namespace duet::exchange
