#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "unit/exchange/endpoints.h"

namespace duet::exchange {
namespace {

using test::Worker;

constexpr int kWorkers = 5;
constexpr std::size_t kElements = 650;
constexpr std::size_t kBlock = 128;

/// How busy the trainers are, which decides how the two threads of a worker interleave.
struct Timing {
  const char* name;
  int inside_microseconds;   // at the gate, beside the update itself
  int outside_microseconds;  // between steps
  bool momentum;
  DType wire;
  int depth;
};

void PrintTo(const Timing& value, std::ostream* out) {
  *out << value.name;
}

class RandomMeetings : public ::testing::TestWithParam<Timing> {};

/// A worker with its trainer and the thread that meets, as in a run.
class Training {
 public:
  Training(const Timing& timing, int rank)
      : timing_(timing),
        rank_(rank),
        worker_({kElements - 100, 100}, timing.momentum, kBlock * sizeof(float), static_cast<unsigned>(rank),
                timing.depth, timing.wire),
        updates_(kElements) {}

  Worker& worker() { return worker_; }
  const std::vector<double>& updates() const { return updates_; }
  long steps() const { return steps_; }
  const std::string& failure() const { return failure_; }
  void link(int peer, std::unique_ptr<transport::Connection> connection) {
    connections_[peer] = std::move(connection);
  }

  void train(const std::atomic<bool>& stop) {
    std::mt19937 random(static_cast<unsigned>(100 + rank_));
    std::uniform_real_distribution<float> noise(-0.1F, 0.1F);
    Replica& replica = *worker_.replica;
    while (!stop) {
      replica.gate().enter_trainer();
      replica.deliver();
      for (std::size_t k = 0; k < replica.block_count(); ++k) {
        const Block& block = replica.block(k);
        for (std::size_t i = 0; i < block.count; ++i) {
          const float before = block.floats()[i];
          block.floats()[i] = 0.98F * before + noise(random);
          updates_[block.offset + i] += double{block.floats()[i]} - double{before};
        }
      }
      ++steps_;
      pause(timing_.inside_microseconds);
      replica.gate().leave_trainer();
      pause(timing_.outside_microseconds);
    }
  }

  /// Its part of the meetings, in order: so nobody waits in a circle.
  void meet(const std::vector<std::pair<int, int>>& meetings) {
    std::mt19937 random(static_cast<unsigned>(200 + rank_));
    std::uniform_real_distribution<double> mixing(0.0, 0.4);
    for (std::size_t m = 0; m < meetings.size() && failure_.empty(); ++m) {
      const auto [one, other] = meetings[m];
      if (one != rank_ && other != rank_) continue;
      MeetingPlan plan =
          test::plan(m + 1, timing_.momentum ? mixing(random) : 0.0, timing_.momentum ? 0.8 : 0.0, 60.0);
      plan.wire = timing_.wire;
      Meeting meeting(*worker_.replica, *connections_[one == rank_ ? other : one], worker_.staging, plan,
                      test::seconds());
      while (!meeting.advance(test::seconds())) {
        worker_.context->poll(meeting.gate_busy() ? 0 : 100'000);
      }
      if (!meeting.result().complete) failure_ = meeting.result().error;
    }
  }

 private:
  static void pause(int microseconds) {
    if (microseconds > 0) std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  }

  Timing timing_;
  int rank_;
  Worker worker_;
  std::map<int, std::unique_ptr<transport::Connection>> connections_;
  std::vector<double> updates_;  // what the trainer's updates added up to, exactly
  long steps_ = 0;
  std::string failure_;
};

TEST_P(RandomMeetings, LeaveTheInvariantToTheTrainersUpdates) {
  const int count = test::full_counts() ? 10'000 : 400;
  std::vector<std::unique_ptr<Training>> all;
  for (int rank = 0; rank < kWorkers; ++rank)
    all.push_back(std::make_unique<Training>(GetParam(), rank));
  for (int i = 0; i < kWorkers; ++i) {
    for (int j = i + 1; j < kWorkers; ++j) {
      auto [there, here] = test::connect(*all[i]->worker().context, "worker " + std::to_string(i),
                                         *all[j]->worker().context, "worker " + std::to_string(j));
      all[i]->link(j, std::move(there));
      all[j]->link(i, std::move(here));
    }
  }
  std::mt19937 random(7);
  std::vector<std::pair<int, int>> meetings;
  while (meetings.size() < static_cast<std::size_t>(count)) {
    const int one = static_cast<int>(random() % kWorkers);
    const int other = static_cast<int>(random() % kWorkers);
    if (one != other) meetings.emplace_back(one, other);
  }
  std::vector<double> expected(kElements);
  for (const auto& training : all) {
    const auto start = training->worker().invariant();
    for (std::size_t i = 0; i < kElements; ++i)
      expected[i] += start[i];
  }

  std::atomic<bool> stop{false};
  std::vector<std::thread> trainers, communication;
  for (const auto& training : all) {
    trainers.emplace_back([&training, &stop] { training->train(stop); });
    communication.emplace_back([&training, &meetings] { training->meet(meetings); });
  }
  for (std::thread& thread : communication)
    thread.join();
  stop = true;
  for (std::thread& thread : trainers)
    thread.join();

  std::vector<double> found(kElements);
  long operations = 0;
  for (const auto& training : all) {
    ASSERT_EQ(training->failure(), "");
    EXPECT_GT(training->steps(), 0);
    operations += training->steps() + 6L * count;
    const auto end = training->worker().invariant();
    for (std::size_t i = 0; i < kElements; ++i) {
      found[i] += end[i];
      expected[i] += training->updates()[i];
    }
  }
  // Every operation rounds once, by at most half a unit in the last place of values of a few; the roundings
  // do not conspire. A block applied twice, or on one side only, is off by about one.
  const double tolerance = 6.0 * 2.4e-7 * std::sqrt(static_cast<double>(operations));
  EXPECT_LT(tolerance, 0.01);
  for (std::size_t i = 0; i < kElements; ++i)
    ASSERT_NEAR(found[i], expected[i], tolerance) << "element " << i;
}

INSTANTIATE_TEST_SUITE_P(Timings, RandomMeetings,
                         ::testing::Values(Timing{"a2cid2_quick_steps", 0, 0, true, DType::kFloat32, 4},
                                           Timing{"a2cid2_long_inside", 300, 0, true, DType::kFloat32, 2},
                                           Timing{"a2cid2_long_outside", 0, 500, true, DType::kFloat32, 1},
                                           Timing{"a2cid2_both", 50, 50, true, DType::kFloat32, 3},
                                           Timing{"a2cid2_bfloat16", 20, 100, true, DType::kBFloat16, 4},
                                           Timing{"adpsgd_both", 50, 50, false, DType::kFloat32, 4},
                                           Timing{"adpsgd_bfloat16", 0, 200, false, DType::kBFloat16, 2}),
                         [](const auto& timing) { return std::string(timing.param.name); });

}  // namespace
}  // namespace duet::exchange
