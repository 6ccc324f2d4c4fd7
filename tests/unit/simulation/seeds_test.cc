#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "simulation/seeds.h"
#include "support/processors.h"

namespace duet::simulation {
namespace {

TEST(Seeds, EveryRunIsMadeOnceByNoMoreThreadsThanThereAreProcessors) {
  std::vector<std::atomic<int>> made(100);
  std::atomic<int> now{0}, most{0};
  run_all(100, 1'000'000, [&](int k) {
    const int running = ++now;
    for (int seen = most; seen < running && !most.compare_exchange_weak(seen, running);) {
    }
    ++made[static_cast<std::size_t>(k)];
    --now;
  });
  for (const std::atomic<int>& count : made)
    EXPECT_EQ(count, 1);
  EXPECT_LE(most, support::usable_processors());
}

TEST(Seeds, TheFirstProblemIsThrownOnAndNoFurtherRunIsBegun) {
  for (const int jobs : {1, 2}) {
    std::atomic<int> begun{0};
    const auto fail = [&](int k) {
      ++begun;
      if (k == 3) throw std::runtime_error("three");
    };
    EXPECT_THROW(run_all(1'000'000, jobs, fail), std::runtime_error);
    EXPECT_LT(begun, 1'000'000);
  }
}

}  // namespace
}  // namespace duet::simulation
