// Many meetings between workers that train meanwhile, all on devices: what one gains the others lose,
// whatever the streams did in between.
#include <gtest/gtest.h>

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

#include "device/rig.h"

namespace duet::test {
namespace {

constexpr int kWorkers = 4;
constexpr std::size_t kElements = 650;

struct Timing {
  const char* name;
  int inside_microseconds;
  int outside_microseconds;
  bool takes_device_memory;
  Party::Shape shape;
};

void PrintTo(const Timing& value, std::ostream* out) {
  *out << value.name;
}

/// A worker with its trainer, which only enqueues, and the thread that meets.
class Training {
 public:
  Training(const Timing& timing, int rank)
      : timing_(timing),
        rank_(rank),
        party_(timing.shape, rank == 0 ? Home::kHost : Home::kDevice, static_cast<unsigned>(rank),
               timing.takes_device_memory ? open_device_context() : exchange::test::open_context()),
        updates_(kElements) {}

  Party& party() { return party_; }
  const std::vector<double>& updates() const { return updates_; }
  long steps() const { return steps_; }
  const std::string& failure() const { return failure_; }
  void link(int peer, std::unique_ptr<transport::Connection> connection) {
    connections_[peer] = std::move(connection);
  }

  void train(const std::atomic<bool>& stop) {
    exchange::Replica& replica = *party_.replica;
    // An update on a device is a copy and a pass, like any trainer's, in the order of its stream.
    struct Ring {
      device::Bytes pinned;
      device::Event used;
    };
    std::vector<Ring> ring;
    device::Bytes update;
    if (!replica.parts().empty()) {
      device::Device& device = replica.parts().front()->device();
      update = device.allocate(kElements * sizeof(float), "an update");
      for (int i = 0; i < 2; ++i)
        ring.push_back({device.allocate_pinned(kElements * sizeof(float), "an update"), device.make_event()});
    }
    std::mt19937 random(static_cast<unsigned>(100 + rank_));
    std::uniform_real_distribution<float> noise(-0.1F, 0.1F);
    while (!stop) {
      std::vector<float> step(kElements);
      for (std::size_t i = 0; i < kElements; ++i) {
        step[i] = noise(random);
        updates_[i] += double{step[i]};
      }
      replica.enter_trainer();
      replica.deliver();
      if (replica.parts().empty()) {
        for (std::size_t k = 0; k < replica.block_count(); ++k) {
          const exchange::Block& block = replica.block(k);
          for (std::size_t i = 0; i < block.count; ++i)
            block.floats()[i] += step[block.offset + i];
        }
      } else {
        Ring& one = ring[static_cast<std::size_t>(steps_) % ring.size()];
        EXPECT_TRUE(one.used.wait(30.0));
        std::copy(step.begin(), step.end(), reinterpret_cast<float*>(one.pinned.get()));
        device::Stream& stream = replica.parts().front()->trainer_stream();
        stream.copy(update.get(), one.pinned.get(), kElements * sizeof(float), device::Direction::kToDevice);
        one.used.record(stream);
        for (std::size_t k = 0; k < replica.block_count(); ++k) {
          const exchange::Block& block = replica.block(k);
          stream.deliver(block.x, reinterpret_cast<float*>(update.get()) + block.offset, block.count);
        }
      }
      ++steps_;
      pause(timing_.inside_microseconds);
      replica.leave_trainer();
      pause(timing_.outside_microseconds);
    }
    for (const auto& part : replica.parts())
      EXPECT_TRUE(part->trainer_waits(30.0));
  }

  void meet(const std::vector<std::pair<int, int>>& meetings) {
    std::mt19937 random(static_cast<unsigned>(200 + rank_));
    std::uniform_real_distribution<double> mixing(0.0, 0.4);
    const bool momentum = timing_.shape.momentum;
    for (std::size_t m = 0; m < meetings.size() && failure_.empty(); ++m) {
      const auto [one, other] = meetings[m];
      if (one != rank_ && other != rank_) continue;
      exchange::MeetingPlan plan =
          exchange::test::plan(m + 1, momentum ? mixing(random) : 0.0, momentum ? 0.8 : 0.0, 60.0);
      plan.wire = timing_.shape.wire;
      exchange::Meeting meeting(*party_.replica, *connections_[one == rank_ ? other : one], party_.staging,
                                plan, exchange::test::seconds());
      while (!meeting.advance(exchange::test::seconds()))
        party_.context->poll(meeting.gate_busy() || meeting.device_busy() ? 0 : 100'000);
      if (!meeting.result().complete) failure_ = meeting.result().error;
    }
  }

 private:
  static void pause(int microseconds) {
    if (microseconds > 0) std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  }

  Timing timing_;
  int rank_;
  Party party_;
  std::map<int, std::unique_ptr<transport::Connection>> connections_;
  std::vector<double> updates_;
  long steps_ = 0;
  std::string failure_;
};

class DeviceInvariant : public OnDevice, public ::testing::WithParamInterface<Timing> {
 protected:
  void SetUp() override {
    OnDevice::SetUp();
    if (GetParam().takes_device_memory && on_real_device())
      GTEST_SKIP() << "no transport here takes a real device's memory";
  }
};

TEST_P(DeviceInvariant, IsMovedByTheTrainersUpdatesAlone) {
  const int count = exchange::test::full_counts() ? 2000 : 60;
  std::vector<std::unique_ptr<Training>> all;
  for (int rank = 0; rank < kWorkers; ++rank)
    all.push_back(std::make_unique<Training>(GetParam(), rank));
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      auto [there, here] = exchange::test::connect(*all[i]->party().context, "worker " + std::to_string(i),
                                                   *all[j]->party().context, "worker " + std::to_string(j));
      all[i]->link(static_cast<int>(j), std::move(there));
      all[j]->link(static_cast<int>(i), std::move(here));
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
    const auto start = training->party().invariant();
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
  double largest = 0.0;
  for (const auto& training : all) {
    ASSERT_EQ(training->failure(), "");
    EXPECT_GT(training->steps(), 0);
    operations += training->steps() + 6L * count;
    const auto end = training->party().invariant();
    for (std::size_t i = 0; i < kElements; ++i) {
      found[i] += end[i];
      expected[i] += training->updates()[i];
      largest = std::max(largest, std::abs(end[i]));
    }
  }
  // Every operation rounds once, by at most half a unit in the last place; the roundings do not conspire. A
  // block applied twice, on one side only, or before it was there is off by about a tenth.
  const double tolerance = 2.4e-7 * std::max(6.0, largest) * std::sqrt(static_cast<double>(operations));
  EXPECT_LT(tolerance, 0.01);
  for (std::size_t i = 0; i < kElements; ++i)
    ASSERT_NEAR(found[i], expected[i], tolerance) << "element " << i;
}

constexpr auto kF32 = DType::kFloat32;
constexpr auto kBf16 = DType::kBFloat16;

INSTANTIATE_TEST_SUITE_P(
    Timings, DeviceInvariant,
    ::testing::Values(Timing{"quick_steps", 0, 300, false, {{kElements}, true, 128, 4, kF32, kF32}},
                      Timing{"long_inside", 300, 100, false, {{kElements}, true, 128, 2, kF32, kF32}},
                      Timing{"one_in_flight", 0, 1500, false, {{kElements}, true, 128, 1, kF32, kF32}},
                      Timing{"bfloat16_wire", 20, 300, false, {{kElements}, true, 128, 4, kBf16, kF32}},
                      Timing{"without_momentum", 50, 300, false, {{kElements}, false, 128, 4, kF32, kF32}},
                      Timing{"wire_on_device", 0, 300, true, {{kElements}, true, 128, 4, kF32, kF32}}),
    [](const auto& timing) { return std::string(timing.param.name); });

}  // namespace
}  // namespace duet::test
