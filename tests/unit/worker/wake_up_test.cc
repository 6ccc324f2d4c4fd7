#include "worker/wake_up.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>

namespace duet::worker {
namespace {

bool readable(int descriptor, int milliseconds) {
  pollfd entry{descriptor, POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) == 1;
}

TEST(WakeUp, WritesOnlyToASleeper) {
  WakeUp wake_up;
  wake_up.wake();
  EXPECT_FALSE(readable(wake_up.descriptor(), 0));
  wake_up.falling_asleep();
  wake_up.wake();
  EXPECT_TRUE(readable(wake_up.descriptor(), 0));
  wake_up.awake();
  EXPECT_FALSE(readable(wake_up.descriptor(), 0));
}

TEST(WakeUp, LosesNoNews) {
  WakeUp wake_up;
  constexpr int kNews = 20000;
  std::atomic<int> published{0};
  std::thread publisher([&] {
    for (int i = 0; i < kNews; ++i) {
      published.fetch_add(1);
      wake_up.wake();
    }
  });
  int seen = 0;
  while (seen < kNews) {
    wake_up.falling_asleep();
    if (published.load() == seen) {
      ASSERT_TRUE(readable(wake_up.descriptor(), 10000)) << "slept through the news after " << seen;
    }
    wake_up.awake();
    seen = published.load();
  }
  publisher.join();
}

}  // namespace
}  // namespace duet::worker
