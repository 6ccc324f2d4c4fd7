#include <duet/duet.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::Options;
using duet::Worker;

struct Case {
  std::string algorithm;
  std::string graph;
  duet::DType wire;
  std::size_t block_bytes;
  int microseconds;  ///< a gradient step takes
};

class WorkerInvariant : public testing::TestWithParam<Case> {};

/// The run's invariant, end to end: whatever the meetings did meanwhile, the final average is the start plus
/// the mean of all updates.
TEST_P(WorkerInvariant, TheFinalAverageIsTheStartPlusTheMeanOfAllUpdates) {
  constexpr int kWorkers = 6;
  constexpr std::size_t kSize = 1237;
  const int steps = count(300, 3500);
  const Case& c = GetParam();
  Options options = threads_options();
  options.algorithm = c.algorithm;
  options.graph = c.graph;
  options.wire = c.wire;
  options.block_bytes = c.block_bytes;

  std::vector<std::vector<double>> updates(kWorkers, std::vector<double>(kSize, 0.0));
  std::vector<std::vector<float>> ends(kWorkers);
  std::vector<std::uint64_t> meetings(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    const auto self = static_cast<std::size_t>(mine.rank);
    std::vector<float> x(kSize);
    // Every worker starts elsewhere; joining must hand all of them rank 0's.
    std::iota(x.begin(), x.end(), static_cast<float>(mine.rank) * 100.0F);
    std::mt19937 random(static_cast<unsigned>(mine.rank));
    std::normal_distribution<float> normal;
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    ASSERT_EQ(x.front(), 0.0F);
    ASSERT_EQ(x.back(), static_cast<float>(kSize - 1));
    for (int step = 0; step < steps; ++step) {
      worker.step([&] {
        for (std::size_t i = 0; i < kSize; ++i) {
          const float before = x[i];
          x[i] += normal(random);
          // What was really added: the sum is rounded.
          updates[self][i] += static_cast<double>(x[i]) - static_cast<double>(before);
        }
      });
      std::this_thread::sleep_for(std::chrono::microseconds(c.microseconds));
    }
    const auto result = worker.finish();
    EXPECT_EQ(result.members.size(), static_cast<std::size_t>(kWorkers));
    EXPECT_TRUE(result.lost.empty());
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.lowest, mine.rank == 0);
    meetings[self] = worker.statistics().meetings;
    ends[self] = x;
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  // A trainer that does not pause outruns its meetings; the others keep up with a good part of their budget.
  const int expected_meetings = c.microseconds > 0 ? steps / 40 : 0;
  for (const auto held : meetings)
    EXPECT_GE(held, static_cast<std::uint64_t>(expected_meetings));

  for (std::size_t i = 0; i < kSize; ++i) {
    double expected = 0.0;
    for (const auto& update : updates)
      expected += update[i];
    expected = static_cast<double>(i) + expected / kWorkers;
    // One rounding per element and meeting, of numbers of the size of x and its corrections.
    ASSERT_NEAR(ends[0][i], expected, 2e-6 * steps + 2e-3) << "element " << i;
    for (const auto& end : ends)
      ASSERT_EQ(end[i], ends[0][i]) << "all workers end with the same bits";
  }
}

INSTANTIATE_TEST_SUITE_P(Runs, WorkerInvariant,
                         testing::Values(Case{"a2cid2", "ring", duet::DType::kFloat32, 1 << 20, 0},
                                         Case{"a2cid2", "ring", duet::DType::kFloat32, 1000, 200},
                                         Case{"a2cid2", "complete", duet::DType::kBFloat16, 2048, 50},
                                         Case{"adpsgd", "ring", duet::DType::kFloat32, 4096, 100},
                                         Case{"adpsgd", "star", duet::DType::kBFloat16, 1 << 20, 0}),
                         [](const auto& each) {
                           return each.param.algorithm + "_" + each.param.graph + std::to_string(each.index);
                         });

TEST(Worker, AllReduceKeepsEveryoneEqualAndStopsAllAfterTheSameStep) {
  constexpr int kWorkers = 4;
  Options options = threads_options();
  options.algorithm = "allreduce";
  options.sample_goal = 4 * 50;
  std::vector<std::vector<float>> ends(kWorkers);
  std::vector<std::uint64_t> steps(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(100, 1.0F);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    while (!worker.done()) {
      worker.step([&] {
        for (auto& value : x)
          value += static_cast<float>(mine.rank);
      });
      // After every step x is the mean: 1 + 1.5 per step.
      const auto step = static_cast<float>(worker.statistics().steps);
      ASSERT_FLOAT_EQ(x[7], 1.0F + 1.5F * step);
    }
    steps[static_cast<std::size_t>(mine.rank)] = worker.statistics().steps;
    worker.finish();
    ends[static_cast<std::size_t>(mine.rank)] = x;
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_EQ(steps, std::vector<std::uint64_t>(kWorkers, 50));
  for (const auto& end : ends)
    EXPECT_EQ(end, ends[0]);
}

TEST(Worker, AloneItTrainsAsThePlainOptimizerWould) {
  Options options;
  options.sample_goal = 30;
  std::vector<float> x(10, 1.0F);
  Worker worker(options, {Buffer{x.data(), x.size()}});
  int steps = 0;
  while (!worker.done()) {
    worker.step([&] { x[0] += 1.0F; }, 10);
    ++steps;
  }
  const auto result = worker.finish();
  EXPECT_EQ(steps, 3);
  EXPECT_EQ(x[0], 4.0F);
  EXPECT_EQ(result.members, std::vector<int>{0});
  EXPECT_TRUE(result.lowest);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(worker.status().samples, 30U);
  EXPECT_EQ(worker.gather("me").at(0), "me");
}

TEST(Worker, EveryoneKnowsTheRunsConsensusDistanceWhileItTrains) {
  constexpr int kWorkers = 5;
  Options options = threads_options();
  options.telemetry_interval = 0.05;
  options.rate = 0.05;  // hardly any meetings: the workers stay where their updates put them
  std::vector<double> estimates(kWorkers, 0.0);
  std::vector<double> own(kWorkers, 0.0);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(20000, 0.0F);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    std::mt19937 random(static_cast<unsigned>(mine.rank));
    std::normal_distribution<float> normal;
    worker.step([&] {
      for (auto& value : x)
        value = normal(random);
    });
    worker.report_loss(mine.rank);
    // Until a tick counts everyone's step; at 20 ticks a second.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (worker.status().steps < kWorkers && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const auto status = worker.status();
    EXPECT_EQ(status.members, kWorkers);
    EXPECT_EQ(status.steps, static_cast<std::uint64_t>(kWorkers));
    EXPECT_DOUBLE_EQ(status.loss, 2.0);
    estimates[static_cast<std::size_t>(mine.rank)] = status.consensus_distance;
    own[static_cast<std::size_t>(mine.rank)] = status.distance_to_mean;
    worker.finish();  // nobody leaves before all have looked
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  // Independent standard normals; a meeting or two may have happened.
  const double independent = std::sqrt(20000 * (1.0 - 1.0 / kWorkers));
  for (const double estimate : estimates) {
    EXPECT_LT(estimate, 1.15 * independent);
    EXPECT_GT(estimate, 0.5 * independent);
  }
  for (const double distance : own)
    EXPECT_GT(distance, 0.2 * independent);
}

TEST(Worker, GatherHandsEverybodysTextToTheLowestRank) {
  constexpr int kWorkers = 4;
  std::map<int, std::string> gathered;
  const std::string binary("a\0b", 3);
  const auto errors = run_workers(kWorkers, threads_options(), [&](const Options& mine) {
    std::vector<float> x(8);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    for (int round = 0; round < 3; ++round) {
      const auto texts = worker.gather(binary + std::to_string(mine.rank) + std::to_string(round));
      if (mine.rank == 0) {
        ASSERT_EQ(texts.size(), static_cast<std::size_t>(kWorkers));
        gathered = texts;
      } else {
        ASSERT_TRUE(texts.empty());
      }
    }
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_EQ(gathered.at(3), binary + "32");
}

TEST(Worker, TellsItsObserverAboutEveryMeeting) {
  constexpr int kWorkers = 3;
  const auto errors = run_workers(kWorkers, threads_options(), [&](const Options& mine) {
    std::vector<float> x(100, static_cast<float>(mine.rank));
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    std::atomic<std::uint64_t> seen{0};
    std::set<int> peers;
    worker.on_meeting([&](const duet::MeetingEvent& event) {
      seen = event.meetings;
      peers.insert(event.peer);
      EXPECT_GE(event.duration, 0.0);
      EXPECT_EQ(worker.sketch().size(), 1024U);
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (seen < 10 && std::chrono::steady_clock::now() < deadline) {
      worker.step([&] { x[0] += 1.0F; });
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    worker.finish();
    worker.on_meeting({});
    EXPECT_GE(seen, 10U);
    EXPECT_EQ(peers.size(), 2U);
    EXPECT_EQ(worker.statistics().meetings, seen);
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

}  // namespace
