#include <duet/duet.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include "topology/metropolis.h"
#include "worker_run.h"

/// dpsgd and local-sgd by real workers: threads of this process, over the in-process transport.
namespace {

using duet::Buffer;
using duet::Options;
using duet::Topology;
using duet::Worker;

/// What everyone's parameters are after so many steps of x += rank + 1 and a round of gossip, one element, in
/// double.
std::vector<double> expected(const Topology& graph, int steps) {
  const auto workers = static_cast<std::size_t>(graph.workers());
  std::vector<double> x(workers);
  for (int step = 0; step < steps; ++step) {
    for (std::size_t rank = 0; rank < workers; ++rank)
      x[rank] += static_cast<double>(rank) + 1.0;
    const std::vector<double> before = x;
    for (const duet::Edge& edge : graph.edges()) {
      const auto a = static_cast<std::size_t>(edge.a), b = static_cast<std::size_t>(edge.b);
      const double weight =
          duet::topology::metropolis_weight(graph.neighbours(edge.a).size(), graph.neighbours(edge.b).size());
      x[a] -= weight * (before[a] - before[b]);
      x[b] -= weight * (before[b] - before[a]);
    }
  }
  return x;
}

class DPsgdGraphs : public testing::TestWithParam<const char*> {};

TEST_P(DPsgdGraphs, EveryStepIsOneMultiplicationByTheMetropolisMatrix) {
  constexpr int kWorkers = 6, kSteps = 20;
  Options options = threads_options();
  options.algorithm = "dpsgd";
  options.graph = GetParam();
  options.block_bytes = 400;  // several blocks
  const Topology graph = Topology::make(options.graph, kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(1000);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    const auto rank = static_cast<std::size_t>(mine.rank);
    for (int step = 1; step <= kSteps; ++step) {
      worker.step([&] {
        for (float& value : x)
          value += static_cast<float>(rank) + 1.0F;
      });
      // Not only after the next step: the forward pass in between is at the new position.
      const double here = expected(graph, step)[rank];
      for (const std::size_t element : {0u, 99u, 100u, 999u})
        ASSERT_NEAR(x[element], here, 1e-4 * std::abs(here)) << "rank " << rank << ", step " << step;
    }
    const auto statistics = worker.statistics();
    EXPECT_EQ(statistics.meetings, graph.neighbours(mine.rank).size() * kSteps);
    worker.finish();
    // 3.5 is the mean of the steps; the mean is kept.
    EXPECT_NEAR(x[0], 3.5 * kSteps, 1e-3);
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

INSTANTIATE_TEST_SUITE_P(Graphs, DPsgdGraphs, testing::Values("ring", "star", "path", "complete"),
                         [](const auto& tested) { return std::string(tested.param); });

/// Exchanges break, and what that costs is bounded by half a second.
Options breaking_options(const char* faults) {
  Options options = threads_options();
  options.algorithm = "dpsgd";
  options.faults = faults;
  options.keep_start = true;  // the start's broadcast has no second try
  options.block_bytes = 400;
  options.meeting_timeout = 0.5;
  options.heartbeat_interval = 0.1;
  return options;
}

/// Connections break, a worker leaves in the middle without a word: the others make all of their steps.
TEST(DPsgd, GoesOnThroughBrokenConnectionsAndWithoutALeaver) {
  constexpr int kWorkers = 5, kSteps = 60, kLeavesAfter = 20;
  Options options = breaking_options("disconnect=0.002,seed=7");
  options.gone_after = 3.0;
  std::atomic<std::uint64_t> failures{0}, exchanges{0};
  std::atomic<int> stepping{kWorkers - 1};
  const auto begin = std::chrono::steady_clock::now();
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(1000, static_cast<float>(mine.rank));
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    const int goal = mine.rank == 2 ? kLeavesAfter : kSteps;
    for (int step = 0; step < goal; ++step) {
      worker.step([] {});
      for (const float value : x)
        ASSERT_TRUE(value >= -0.001F && value <= 4.001F) << "no average lies outside of what there was";
    }
    for (const auto& edge : worker.statistics().edges)
      failures += edge.failures;
    exchanges += worker.statistics().meetings;
    if (mine.rank == 2) return;
    --stepping;
    while (stepping > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_GT(failures, 0U);
  EXPECT_GT(exchanges, 200U);
  // Each failure costs a meeting's time-out and a heartbeat at most, not the minutes that a step may take.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(120));
}

/// An exchange that breaks on one side alone leaves that side waiting for a peer that has gone on, and on a
/// triangle the peer's next ones are waiting for it: nobody waits as long as a step may take.
TEST(DPsgd, OnATriangleNobodyWaitsInACircleWhateverBreaks) {
  constexpr int kWorkers = 3, kSteps = 60;
  const Options options = breaking_options("disconnect=0.004,corrupt=0.004,seed=11");
  std::atomic<std::uint64_t> failures{0};
  std::atomic<int> stepping{kWorkers};
  const auto begin = std::chrono::steady_clock::now();
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(1000, static_cast<float>(mine.rank));
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    for (int step = 0; step < kSteps; ++step)
      worker.step([] {});
    for (const auto& edge : worker.statistics().edges)
      failures += edge.failures;
    --stepping;
    while (stepping > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_GT(failures, 5U);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(120));
}

TEST(DPsgd, WhoFinishesEarlierIsNotWaitedFor) {
  constexpr int kWorkers = 4;
  Options options = threads_options();
  options.algorithm = "dpsgd";
  options.heartbeat_interval = 0.1;
  std::vector<std::vector<float>> ends(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(64);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    for (int step = 0; step < (mine.rank == 1 ? 5 : 25); ++step)
      worker.step([&] { x[0] += 1.0F; });
    EXPECT_EQ(worker.finish().members.size(), static_cast<std::size_t>(kWorkers));
    ends[static_cast<std::size_t>(mine.rank)] = x;
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  for (const auto& end : ends) {
    EXPECT_EQ(end, ends[0]);
    EXPECT_NEAR(end[0], (3 * 25 + 5) / 4.0, 1e-3) << "the mean of all updates: what was exchanged kept it";
  }
}

TEST(DPsgd, StopsAtTheSampleGoal) {
  Options options = threads_options();
  options.algorithm = "dpsgd";
  options.sample_goal = 4 * 30;
  options.heartbeat_interval = 0.05;
  const auto errors = run_workers(4, options, [&](const Options& mine) {
    std::vector<float> x(64);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    while (!worker.done()) {
      worker.step([&] { x[0] += 1.0F; });
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    // As with meetings: as soon as the heartbeats say so.
    EXPECT_GE(worker.statistics().steps, 20U);
    EXPECT_LE(worker.statistics().steps, 120U);
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(LocalSgd, AveragesInOneStepOfSoManyAndIsEqualThen) {
  constexpr int kWorkers = 4;
  Options options = threads_options();
  options.algorithm = "local-sgd";
  options.rate = 0.2;
  options.sample_goal = kWorkers * 50;
  std::vector<std::uint64_t> steps(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    while (!worker.done()) {
      worker.step([&] { x[7] += static_cast<float>(mine.rank); });
      const auto step = worker.statistics().steps;
      const auto since = static_cast<float>(step % 5);
      // 1.5 a step up to the last average, and its own ever since.
      ASSERT_NEAR(x[7], 1.5F * (static_cast<float>(step) - since) + static_cast<float>(mine.rank) * since,
                  1e-3);
    }
    steps[static_cast<std::size_t>(mine.rank)] = worker.statistics().steps;
    worker.finish();
    EXPECT_NEAR(x[7], 75.0F, 1e-3);
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  EXPECT_EQ(steps, std::vector<std::uint64_t>(kWorkers, 50));
}

}  // namespace
