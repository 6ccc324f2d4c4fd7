#include <duet/duet.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::Options;
using duet::Worker;

/// Dead processes are for tests/fault; here a thread's worker falls silent in the middle of everything
/// because its transport swallows all blocks.
TEST(WorkerLoss, ATransportThatLosesBlocksCostsMeetingsAndNothingElse) {
  Options options = threads_options();
  options.faults = "drop=0.05,seed=3";
  options.meeting_timeout = 0.3;
  std::atomic<std::uint64_t> meetings{0};
  std::atomic<std::uint64_t> failures{0};
  const auto errors = run_workers(4, options, [&](const Options& mine) {
    Options keeping = mine;
    keeping.keep_start = true;  // the start's broadcast has no second try
    keeping.average_timeout = 2.0;
    std::vector<float> x(1000);
    Worker worker(keeping, {Buffer{x.data(), x.size()}});
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(4);
    while (std::chrono::steady_clock::now() < end) {
      worker.step([&] { x[1] += 1.0F; });
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    const auto statistics = worker.statistics();
    meetings += statistics.meetings;
    for (const auto& edge : statistics.edges)
      failures += edge.failures;
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_GT(meetings, 20U);
  EXPECT_GT(failures, 0U);
}

TEST(WorkerLoss, CorruptBlocksAreRefusedAndCounted) {
  Options options = threads_options();
  options.faults = "corrupt=0.05,seed=5";
  options.keep_start = true;
  options.meeting_timeout = 1.0;
  std::atomic<std::uint64_t> rejected{0};
  const auto errors = run_workers(4, options, [&](const Options& mine) {
    std::vector<float> x(1000, 1.0F);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    for (int i = 0; i < 1500; ++i) {
      worker.step([] {});
      // All workers stand at the same point and nobody moves: whatever is applied must leave it there.
      for (const float value : x)
        ASSERT_EQ(value, 1.0F);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    rejected += worker.statistics().rejected_blocks;
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_GT(rejected, 0U);
}

}  // namespace
