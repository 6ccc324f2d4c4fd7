#include <duet/duet.h>
#include <gtest/gtest.h>

#include "transport/services.h"
#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::Options;
using duet::Worker;

std::uint64_t counted(const char* name) {
  const auto counters = duet::transport::counters();
  const auto found = counters.find(name);
  return found == counters.end() ? 0 : found->second;
}

/// Whole runs over a transport that refuses every connection without its ticket: start, meetings or steps,
/// and the final average each need theirs.
class WorkerTickets : public testing::TestWithParam<const char*> {};

TEST_P(WorkerTickets, ReachWhoeverConnects) {
  constexpr int kWorkers = 5;
  Options options = threads_options();
  options.transport = DUET_TICKETED_PLUGIN;
  options.algorithm = GetParam();
  const bool synchronous = options.algorithm == "allreduce" || options.algorithm == "dpsgd";
  options.graph = synchronous ? "star" : "ring";
  // Who steps together has to stop together.
  if (options.algorithm == "allreduce") options.sample_goal = kWorkers * 60;
  const std::uint64_t refused = counted("ticketed_refused"), connects = counted("ticketed_connects");
  std::vector<std::vector<float>> ends(kWorkers);
  std::vector<std::uint64_t> steps(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    std::vector<float> x(1000, static_cast<float>(mine.rank));
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    EXPECT_EQ(x[7], 0.0F) << "rank 0's parameters";
    for (int step = 0; options.algorithm == "allreduce" ? !worker.done() : step < 60; ++step) {
      worker.step([&] {
        for (auto& value : x)
          value += static_cast<float>(mine.rank);
      });
    }
    const auto result = worker.finish();
    EXPECT_EQ(result.members.size(), static_cast<std::size_t>(kWorkers));
    steps[static_cast<std::size_t>(mine.rank)] = worker.statistics().steps;
    ends[static_cast<std::size_t>(mine.rank)] = x;
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  for (const auto& end : ends) {
    ASSERT_EQ(end.size(), 1000u);
    // In lockstep, a worker whose peers have finished averages its last step with whoever is left, which this
    // test is not about.
    const float tolerance = synchronous ? 4.0F : 1e-3F;
    EXPECT_NEAR(end[7], 2.0F * static_cast<float>(steps[0]), tolerance)
        << "so many steps of the mean rank, 2";
    EXPECT_EQ(end, ends[0]);
  }
  EXPECT_EQ(counted("ticketed_refused"), refused);
  // A tree over n workers has n − 1 edges, once to start with, once at the end.
  EXPECT_GE(counted("ticketed_connects"), connects + 2 * (kWorkers - 1));
}

INSTANTIATE_TEST_SUITE_P(Runs, WorkerTickets, testing::Values("a2cid2", "allreduce", "dpsgd"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
