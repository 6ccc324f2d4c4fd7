#include "exchange/meeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "dynamics/passes.h"
#include "exchange/block_header.h"
#include "unit/exchange/endpoints.h"

namespace duet::exchange {
namespace {

using test::drive;
using test::plan;
using test::Snapshot;
using test::Worker;

/// What a meeting should leave behind, from the passes alone.
struct Expected {
  std::vector<Snapshot> a, b;
  double squared_distance = 0.0;

  Expected(const Worker& one, const Worker& other, const MeetingCoefficients& of_a,
           const MeetingCoefficients& of_b, DType wire)
      : a(test::snapshots(*one.replica)), b(test::snapshots(*other.replica)) {
    for (std::size_t k = 0; k < a.size(); ++k) {
      const std::size_t count = a[k].x.size();
      std::vector<std::byte> s(count * 4), r(count * 4);
      take(a[k], s, wire, of_a);
      take(b[k], r, wire, of_b);
      squared_distance += dynamics::squared_distance(s.data(), r.data(), wire, count);
      give(a[k], s, r, wire, of_a);
      give(b[k], r, s, wire, of_b);
    }
  }

  static float* momentum(Snapshot& block) { return block.z.empty() ? nullptr : block.z.data(); }
  static void take(Snapshot& block, std::vector<std::byte>& s, DType wire, const MeetingCoefficients& with) {
    dynamics::snapshot(block.x.data(), block.d.data(), momentum(block), s.data(), wire, block.x.size(),
                       static_cast<float>(with.c));
  }
  static void give(Snapshot& block, const std::vector<std::byte>& s, const std::vector<std::byte>& r,
                   DType wire, const MeetingCoefficients& with) {
    dynamics::apply(block.d.data(), momentum(block), s.data(), r.data(), wire, block.x.size(),
                    static_cast<float>(with.alpha), static_cast<float>(with.alpha_tilde_minus_alpha));
  }
};

/// Two workers and a connection.
struct Couple {
  Worker a, b;
  std::unique_ptr<transport::Connection> to_b, to_a;

  Couple(const std::vector<std::size_t>& counts, bool momentum, std::size_t block_bytes, int depth = 4,
         DType wire = DType::kFloat32)
      : a(counts, momentum, block_bytes, 1, depth, wire), b(counts, momentum, block_bytes, 2, depth, wire) {
    std::tie(to_b, to_a) = test::connect(*a.context, "worker a", *b.context, "worker b");
  }

  /// Both results; for a meeting that both begin.
  std::pair<MeetingResult, MeetingResult> meet(const MeetingPlan& of_a, const MeetingPlan& of_b) {
    Meeting one(*a.replica, *to_b, a.staging, of_a, test::seconds());
    Meeting other(*b.replica, *to_a, b.staging, of_b, test::seconds());
    EXPECT_TRUE(drive({a.context.get(), b.context.get()}, [&] {
      const bool first = one.advance(test::seconds());
      const bool second = other.advance(test::seconds());
      return first && second;
    }));
    return {one.result(), other.result()};
  }
};

struct Shape {
  const char* name;
  std::vector<std::size_t> counts;
  bool momentum;
  std::size_t block_elements;
  int depth;
  DType wire;
};

void PrintTo(const Shape& value, std::ostream* out) {
  *out << value.name;
}

class MeetingOf : public ::testing::TestWithParam<Shape> {};

TEST_P(MeetingOf, MovesBothByTheirCoefficientsToTheBit) {
  const Shape& shape = GetParam();
  Couple couple(shape.counts, shape.momentum, shape.block_elements * sizeof(float), shape.depth, shape.wire);
  // Their clocks differ, so their mixing does; five meetings over one connection.
  for (std::uint64_t meeting = 1; meeting <= 5; ++meeting) {
    MeetingPlan of_a = plan(meeting, shape.momentum ? 0.2 : 0.0, shape.momentum ? 1.3 : 0.0);
    MeetingPlan of_b = plan(meeting, shape.momentum ? 0.03 : 0.0, shape.momentum ? 1.3 : 0.0);
    of_a.wire = of_b.wire = shape.wire;
    const Expected expected(couple.a, couple.b, of_a.coefficients, of_b.coefficients, shape.wire);
    const auto [a, b] = couple.meet(of_a, of_b);
    ASSERT_TRUE(a.complete) << a.error;
    ASSERT_TRUE(b.complete) << b.error;
    EXPECT_TRUE(a.connection_usable);
    EXPECT_EQ(test::snapshots(*couple.a.replica), expected.a);
    EXPECT_EQ(test::snapshots(*couple.b.replica), expected.b);
    EXPECT_EQ(a.squared_distance, b.squared_distance);
    EXPECT_NEAR(a.squared_distance, expected.squared_distance, 1e-9 * expected.squared_distance);
    const std::uint64_t bytes = couple.a.replica->block_count() * kBlockHeaderBytes +
                                couple.a.replica->elements() * size_of(shape.wire);
    EXPECT_EQ(a.bytes_sent, bytes);
    EXPECT_EQ(a.bytes_received, bytes);
    EXPECT_EQ(a.blocks_applied, couple.a.replica->block_count());
  }
}

TEST_P(MeetingOf, KeepsTheInvariantWhenBothMoveAlike) {
  const Shape& shape = GetParam();
  Couple couple(shape.counts, shape.momentum, shape.block_elements * sizeof(float), shape.depth, shape.wire);
  const auto a_before = couple.a.invariant(), b_before = couple.b.invariant();
  MeetingPlan both = plan(1, shape.momentum ? 0.2 : 0.0, shape.momentum ? 1.3 : 0.0);
  both.wire = shape.wire;
  const auto [a, b] = couple.meet(both, both);
  ASSERT_TRUE(a.complete && b.complete);
  const auto a_after = couple.a.invariant(), b_after = couple.b.invariant();
  for (std::size_t i = 0; i < a_before.size(); ++i) {
    EXPECT_NEAR(a_before[i] + b_before[i], a_after[i] + b_after[i], 2e-6) << "element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, MeetingOf,
    ::testing::Values(Shape{"tiny", {1000}, true, 1 << 18, 4, DType::kFloat32},
                      Shape{"one_element", {1}, true, 1 << 18, 4, DType::kFloat32},
                      Shape{"many_blocks", {5000}, true, 128, 4, DType::kFloat32},
                      Shape{"one_in_flight", {5000}, true, 128, 1, DType::kFloat32},
                      Shape{"fewer_blocks_than_in_flight", {300}, true, 128, 16, DType::kFloat32},
                      Shape{"odd_buffers", {77, 1, 1031, 0, 513}, true, 100, 3, DType::kFloat32},
                      Shape{"without_momentum", {5000}, false, 128, 4, DType::kFloat32},
                      Shape{"bfloat16", {5000, 33}, true, 128, 4, DType::kBFloat16},
                      Shape{"bfloat16_without_momentum", {4999}, false, 1000, 2, DType::kBFloat16}),
    [](const auto& shape) { return std::string(shape.param.name); });

TEST(Meeting, IsAntisymmetricToTheBit) {
  for (const DType wire : {DType::kFloat32, DType::kBFloat16}) {
    Couple couple({3000}, true, 1000 * sizeof(float), 4, wire);
    for (Worker* worker : {&couple.a, &couple.b})
      test::clear_corrections(*worker->replica);
    MeetingPlan both = plan(9, 0.4, 2.0);
    both.wire = wire;
    const auto [a, b] = couple.meet(both, both);
    ASSERT_TRUE(a.complete && b.complete);
    std::size_t moved = 0;
    for (std::size_t k = 0; k < couple.a.replica->block_count(); ++k) {
      const Block& one = couple.a.replica->block(k);
      const Block& other = couple.b.replica->block(k);
      for (std::size_t i = 0; i < one.count; ++i) {
        ASSERT_EQ(one.d[i], -other.d[i]);
        ASSERT_EQ(one.z[i], -other.z[i]);
        if (one.d[i] != 0.0F) ++moved;
      }
    }
    EXPECT_GT(moved, 2900U) << "a rounded difference is 0 now and then, no more";
  }
}

TEST(Meeting, WithZeroMomentumAveragesThePositions) {
  Couple couple({257}, false, 64 * sizeof(float));
  MeetingPlan both = plan(3, 0, 0);
  ASSERT_TRUE(couple.meet(both, both).first.complete);
  for (Worker* worker : {&couple.a, &couple.b})
    worker->replica->deliver();
  for (std::size_t i = 0; i < 257; ++i) {
    EXPECT_NEAR(couple.a.parameters[0][i], couple.b.parameters[0][i], 1e-6);
  }
}

TEST(Meeting, StopsAtTheGateWhileTheTrainerIsInsideAndGoesOnAfterwards) {
  Couple couple({1000}, true, 128 * sizeof(float));
  const MeetingPlan both = plan(4, 0.1, 0.5);
  const auto before = test::snapshots(*couple.a.replica);
  couple.a.replica->gate().enter_trainer();
  Meeting one(*couple.a.replica, *couple.to_b, couple.a.staging, both, test::seconds());
  Meeting other(*couple.b.replica, *couple.to_a, couple.b.staging, both, test::seconds());
  const auto turn = [&] {
    const bool first = one.advance(test::seconds());
    return other.advance(test::seconds()) && first;
  };
  EXPECT_FALSE(drive({couple.a.context.get(), couple.b.context.get()}, turn, 0.05));
  EXPECT_TRUE(one.gate_busy());
  EXPECT_FALSE(other.gate_busy());
  EXPECT_EQ(test::snapshots(*couple.a.replica), before);
  couple.a.replica->gate().leave_trainer();
  EXPECT_TRUE(drive({couple.a.context.get(), couple.b.context.get()}, turn));
  EXPECT_FALSE(one.gate_busy());
  EXPECT_TRUE(one.result().complete) << one.result().error;
}

TEST(Meeting, AveragesStatisticsPlainlyInTheMeetingsThatTheTokenPicks) {
  constexpr int kMeetings = 400;
  constexpr std::size_t kCount = 6;
  auto make = [](std::vector<float>& weights, std::vector<float>& every_third, std::vector<float>& never) {
    Buffer parameters{weights.data(), kCount, DType::kFloat32, "weights", {}};
    Buffer third{every_third.data(), kCount, DType::kFloat32, "third", {}, BufferRole::kStatistics, 3};
    Buffer none{never.data(), kCount, DType::kFloat32, "never", {}, BufferRole::kStatistics, 0};
    return std::make_unique<Replica>(std::vector<Buffer>{third, parameters, none}, true, 4 * sizeof(float));
  };
  std::vector<float> weights_a(kCount, 1), third_a(kCount), never_a(kCount);
  std::vector<float> weights_b(kCount, 3), third_b(kCount), never_b(kCount);
  const auto a = make(weights_a, third_a, never_a);
  const auto b = make(weights_b, third_b, never_b);
  Couple couple({1}, true, 64);  // after the replicas, which its staging needs until its end
  couple.a.staging = make_staging(*a, DType::kFloat32, 2);
  couple.b.staging = make_staging(*b, DType::kFloat32, 2);
  int averaged = 0;
  for (int i = 1; i <= kMeetings; ++i) {
    std::fill(third_a.begin(), third_a.end(), 2.0F);
    std::fill(third_b.begin(), third_b.end(), 8.0F);
    std::fill(never_a.begin(), never_a.end(), 5.0F);
    // 1.3: with momentum the statistics would overshoot.
    const MeetingPlan both = plan(static_cast<std::uint64_t>(i), 0.1, 1.3);
    Meeting one(*a, *couple.to_b, couple.a.staging, both, test::seconds());
    Meeting other(*b, *couple.to_a, couple.b.staging, both, test::seconds());
    ASSERT_TRUE(drive({couple.a.context.get(), couple.b.context.get()}, [&] {
      const bool first = one.advance(test::seconds());
      return other.advance(test::seconds()) && first;
    }));
    ASSERT_TRUE(one.result().complete) << one.result().error;
    EXPECT_TRUE(i > 1 || one.result().squared_distance == 4.0 * kCount) << "statistics do not count";
    a->deliver();
    b->deliver();
    ASSERT_EQ(third_a == std::vector<float>(kCount, 5.0F), third_b == std::vector<float>(kCount, 5.0F));
    if (third_a[0] == 5.0F) {
      ++averaged;
    } else {
      ASSERT_EQ(third_a, std::vector<float>(kCount, 2.0F));
    }
    ASSERT_EQ(never_a, std::vector<float>(kCount, 5.0F));
  }
  EXPECT_NEAR(averaged, kMeetings / 3.0, 5 * std::sqrt(kMeetings * 2.0 / 9.0));
}

TEST(Meeting, TakesTheSparesWhenABrokenOneStillHoldsStaging) {
  Couple couple({1000}, true, 100 * sizeof(float), 2);
  Worker& a = couple.a;
  {
    Meeting broken(*a.replica, *couple.to_b, a.staging, plan(1, 0.1, 0.5), test::seconds());
    broken.advance(test::seconds());
    broken.abort("the peer is gone");
    EXPECT_TRUE(broken.advance(test::seconds()));
    EXPECT_FALSE(broken.result().complete);
    EXPECT_FALSE(broken.result().connection_usable);
    EXPECT_THAT(broken.result().error, ::testing::HasSubstr("the peer is gone"));
    EXPECT_THAT(broken.result().error, ::testing::HasSubstr("worker b"));
  }
  // Nobody closed the old connection: its buffers are lent for as long as the peer likes.
  EXPECT_GT(a.staging->lent(), 0U);
  auto [to_b, to_a] = test::connect(*a.context, "worker a", *couple.b.context, "worker b");
  const MeetingPlan both = plan(2, 0.1, 0.5);
  Meeting one(*a.replica, *to_b, a.staging, both, test::seconds());
  Meeting other(*couple.b.replica, *to_a, couple.b.staging, both, test::seconds());
  EXPECT_TRUE(drive({a.context.get(), couple.b.context.get()}, [&] {
    const bool first = one.advance(test::seconds());
    return other.advance(test::seconds()) && first;
  }));
  EXPECT_TRUE(one.result().complete) << one.result().error;
  EXPECT_LE(a.staging->slots(), 8U);
  couple.to_b.reset();
  EXPECT_TRUE(drive({a.context.get()}, [&] { return a.staging->lent() == 0; }));
}

TEST(Meeting, WaitsForStagingWhenEvenTheSparesAreLent) {
  Couple couple({1000}, true, 100 * sizeof(float), 2);
  Worker& a = couple.a;
  std::vector<std::unique_ptr<transport::Connection>> connections;
  for (std::uint64_t i = 1; a.staging->lent() < 8; ++i) {
    ASSERT_LE(i, 4U);
    auto [to_b, to_a] = test::connect(*a.context, "worker a", *couple.b.context, "worker b");
    Meeting broken(*a.replica, *to_b, a.staging, plan(i, 0.1, 0.5), test::seconds());
    broken.advance(test::seconds());
    connections.push_back(std::move(to_b));
    connections.push_back(std::move(to_a));
  }
  EXPECT_EQ(a.staging->slots(), 8U);
  const MeetingPlan both = plan(9, 0.1, 0.5);
  Meeting one(*a.replica, *couple.to_b, a.staging, both, test::seconds());
  Meeting other(*couple.b.replica, *couple.to_a, couple.b.staging, both, test::seconds());
  const auto turn = [&] {
    const bool first = one.advance(test::seconds());
    return other.advance(test::seconds()) && first;
  };
  EXPECT_FALSE(drive({a.context.get(), couple.b.context.get()}, turn, 0.05));
  connections.clear();
  EXPECT_TRUE(drive({a.context.get(), couple.b.context.get()}, turn));
  EXPECT_TRUE(one.result().complete) << one.result().error;
  EXPECT_EQ(a.staging->slots(), 8U);
}

TEST(Meeting, LetsItsContextGoFirst) {
  Couple couple({1000}, true, 100 * sizeof(float), 2);
  std::weak_ptr<Staging> staging = couple.a.staging;
  {
    Meeting broken(*couple.a.replica, *couple.to_b, couple.a.staging, plan(1, 0, 0), test::seconds());
    broken.advance(test::seconds());
    couple.a.staging.reset();
  }
  EXPECT_FALSE(staging.expired()) << "operations in flight keep their memory alive";
  couple.a.context.reset();
  EXPECT_TRUE(staging.expired());
}

TEST(Meeting, IsOverAfterSoLongWithoutProgress) {
  Couple couple({1000}, true, 100 * sizeof(float));
  Meeting one(*couple.a.replica, *couple.to_b, couple.a.staging, plan(1, 0.1, 0.5, 5.0), 100.0);
  one.advance(100.0);
  couple.a.context->poll(0);
  EXPECT_FALSE(one.advance(104.9));
  EXPECT_TRUE(one.advance(110.0));
  EXPECT_THAT(one.result().error, ::testing::HasSubstr("no progress for 5 s"));
  EXPECT_FALSE(one.result().rejected);
}

}  // namespace
}  // namespace duet::exchange
