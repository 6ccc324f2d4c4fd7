#include <duet/duet.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

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

/// All-reduce with real threads: connections break in the middle of averages, and one worker leaves. Whoever
/// has made a step has the same parameters after it, to the bit.
TEST(WorkerLoss, AllReduceKeepsEveryoneEqualThroughBrokenConnectionsAndALeaver) {
  constexpr int kWorkers = 4;
  constexpr std::uint64_t kSteps = 30, kLeavesAfter = 12;
  Options options = threads_options();
  options.algorithm = "allreduce";
  options.faults = "disconnect=0.001,seed=11";
  options.keep_start = true;  // the start's broadcast has no second try
  options.block_bytes = 400;
  // A broken connection is tried again when a death would have been noticed.
  options.gone_after = 5.0;
  options.heartbeat_interval = 0.2;
  std::vector<std::vector<std::vector<float>>> after(kWorkers);
  std::atomic<int> stepping{kWorkers - 1};
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(1000, 1.0F);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    auto& steps = after[static_cast<std::size_t>(mine.rank)];
    const auto goal = mine.rank == 2 ? kLeavesAfter : kSteps;
    while (worker.statistics().steps < goal) {
      worker.step([&] {
        for (std::size_t i = 0; i < x.size(); ++i)
          x[i] += 0.1F * static_cast<float>(mine.rank) + 1e-3F * static_cast<float>(i);
      });
      steps.push_back(x);
    }
    if (mine.rank == 2) return;
    // Nobody closes under those who still make the last step.
    --stepping;
    while (stepping > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  for (const int rank : {0, 1, 3}) {
    const auto& mine = after[static_cast<std::size_t>(rank)];
    ASSERT_EQ(mine.size(), kSteps);
    for (std::size_t step = 0; step < kSteps; ++step)
      ASSERT_EQ(mine[step], after[0][step]) << "rank " << rank << " after step " << step + 1;
  }
  // What the leaver took along after its last step may be lost to the others; everything before is theirs
  // too.
  for (std::size_t step = 0; step + 1 < kLeavesAfter; ++step)
    ASSERT_EQ(after[2][step], after[0][step]) << "after step " << step + 1;
}

}  // namespace
