// The run's consensus distance, as 64 workers estimate it, against the exact one from all of their
// parameters.
#include <duet/duet.h>
#include <gtest/gtest.h>

#include <barrier>
#include <chrono>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

#include "worker_run.h"

namespace {

using duet::Buffer;
using duet::Options;
using duet::Worker;
using namespace std::chrono_literals;

constexpr int kWorkers = 64;
constexpr std::size_t kElements = 3000;

/// Positions of all workers, and what follows from them.
struct Exact {
  std::vector<std::vector<float>> positions = std::vector<std::vector<float>>(kWorkers);
  double consensus_distance = 0.0;
  std::vector<double> distances = std::vector<double>(kWorkers);

  void compute() {
    std::vector<double> mean(kElements, 0.0);
    for (const auto& position : positions) {
      for (std::size_t i = 0; i < kElements; ++i)
        mean[i] += static_cast<double>(position[i]) / kWorkers;
    }
    double total = 0.0;
    for (std::size_t rank = 0; rank < positions.size(); ++rank) {
      double squares = 0.0;
      for (std::size_t i = 0; i < kElements; ++i)
        squares += std::pow(static_cast<double>(positions[rank][i]) - mean[i], 2);
      distances[rank] = std::sqrt(squares);
      total += squares / kWorkers;
    }
    consensus_distance = std::sqrt(total);
  }
};

/// A tick looks at a position that moves on at once, so the run stands still for each that is compared:
/// everyone trains and meets for a while, stops, lets meetings end, takes delivery, and waits for a tick that
/// began after that. The ticks are the run's own, over its own tree; none is left out.
TEST(SketchAccuracy, OfSixtyFourWorkersIsWithinTenPercentAtEveryTick) {
  const int rounds = count(6, 40);
  Options options = threads_options();
  options.telemetry_port = -1;
  options.telemetry_interval = 0.5;
  options.deterministic_budget = true;
  options.rate = 1.0;
  Exact exact;
  std::barrier<> together(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    const auto self = static_cast<std::size_t>(mine.rank);
    std::mt19937 random(static_cast<unsigned>(mine.rank));
    std::normal_distribution<float> normal;
    std::vector<float> x(kElements, 3.0F);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    for (int round = 0; round < rounds; ++round) {
      for (int step = 0; step < 5; ++step) {
        worker.step([&] {
          for (auto& value : x)
            value += 0.01F * normal(random);
        });
        std::this_thread::sleep_for(5ms);
      }
      together.arrive_and_wait();
      // No steps, no new budget: what is left of it is met, and then nothing moves. A step that changes
      // nothing takes delivery; twice the same position is one at rest.
      std::vector<float> before;
      const auto restless = std::chrono::steady_clock::now() + 60s;
      for (int same = 0; same < 3 && std::chrono::steady_clock::now() < restless;) {
        std::this_thread::sleep_for(100ms);
        worker.edit([&] {
          same = x == before ? same + 1 : 0;
          before = x;
        });
      }
      together.arrive_and_wait();
      worker.edit([&] { exact.positions[self] = x; });
      together.arrive_and_wait();
      if (mine.rank == 0) exact.compute();
      together.arrive_and_wait();
      const double wall =
          std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
      const auto first = static_cast<std::uint64_t>(wall / mine.telemetry_interval) + 1;
      const auto patience = std::chrono::steady_clock::now() + 60s;
      duet::RunStatus status = worker.status();
      while (status.tick < first && std::chrono::steady_clock::now() < patience) {
        std::this_thread::sleep_for(20ms);
        status = worker.status();
      }
      EXPECT_GE(status.tick, first) << "no tick came";
      EXPECT_EQ(status.members, kWorkers);
      EXPECT_NEAR(status.consensus_distance / exact.consensus_distance, 1.0, 0.1)
          << "round " << round << ", rank " << mine.rank;
      // One worker's own distance is one draw of the estimate, of 4 % standard deviation.
      EXPECT_NEAR(status.distance_to_mean / exact.distances[self], 1.0, 0.25)
          << "round " << round << ", rank " << mine.rank;
      together.arrive_and_wait();
    }
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

}  // namespace
