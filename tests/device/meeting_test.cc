// Meetings between workers with parameters on devices, on hosts and on both.
#include "exchange/meeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <tuple>

#include "device/reference.h"
#include "device/rig.h"

namespace duet::test {
namespace {

using exchange::Meeting;
using exchange::MeetingPlan;
using exchange::MeetingResult;
using exchange::test::drive;
using exchange::test::plan;
using exchange::test::seconds;

std::unique_ptr<transport::Context> endpoint(bool takes_device_memory) {
  return takes_device_memory ? open_device_context() : exchange::test::open_context();
}

struct Couple {
  Couple(const Party::Shape& shape, Home one, Home other, bool takes_device_memory = false)
      : a(shape, one, 1, endpoint(takes_device_memory)), b(shape, other, 2, endpoint(takes_device_memory)) {
    std::tie(to_b, to_a) = exchange::test::connect(*a.context, "worker a", *b.context, "worker b");
  }
  std::pair<MeetingResult, MeetingResult> meet(const MeetingPlan& of_a, const MeetingPlan& of_b) {
    Meeting one(*a.replica, *to_b, a.staging, of_a, seconds());
    Meeting other(*b.replica, *to_a, b.staging, of_b, seconds());
    EXPECT_TRUE(drive({a.context.get(), b.context.get()}, [&] {
      const bool first = one.advance(seconds());
      const bool second = other.advance(seconds());
      return first && second;
    }));
    return {one.result(), other.result()};
  }

  Party a, b;
  std::unique_ptr<transport::Connection> to_b, to_a;
};

/// What a meeting should leave, by the reference.
struct Expected {
  Expected(const Party& one, const Party& other, const MeetingPlan& of_a, const MeetingPlan& of_b,
           bool momentum)
      : a(one.state()), b(other.state()) {
    const std::size_t count = a.x.size();
    std::vector<std::byte> s(count * 4), r(count * 4);
    const auto z = [&](Party::State& state) { return momentum ? state.z.data() : nullptr; };
    const auto c = [](const MeetingPlan& with) { return static_cast<float>(with.coefficients.c); };
    const auto beta = static_cast<float>(of_a.coefficients.alpha_tilde_minus_alpha);
    namespace reference = dynamics::reference;
    reference::snapshot(a.x.data(), a.d.data(), z(a), s.data(), of_a.wire, count, c(of_a));
    reference::snapshot(b.x.data(), b.d.data(), z(b), r.data(), of_b.wire, count, c(of_b));
    squared_distance = reference::squared_distance(s.data(), r.data(), of_a.wire, count);
    reference::apply(a.d.data(), z(a), s.data(), r.data(), of_a.wire, count, 0.5F, beta);
    reference::apply(b.d.data(), z(b), r.data(), s.data(), of_b.wire, count, 0.5F, beta);
  }
  Party::State a, b;
  double squared_distance = 0.0;
};

void expect_near(const Party::State& found, const Party::State& expected) {
  // A host without fused multiply-add rounds once more; devices and their reference agree to the bit.
  for (std::size_t i = 0; i < found.x.size(); ++i) {
    ASSERT_EQ(found.x[i], expected.x[i]) << "x " << i;
    ASSERT_NEAR(found.d[i], expected.d[i], 2e-6) << "d " << i;
    ASSERT_NEAR(found.z[i], expected.z[i], 4e-6) << "z " << i;
  }
}

struct Case {
  const char* name;
  Home a, b;
  bool takes_device_memory;
  Party::Shape shape;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.name;
}

class MeetingOnDevice : public OnDevice, public ::testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    OnDevice::SetUp();
    if (GetParam().takes_device_memory && on_real_device())
      GTEST_SKIP() << "no transport here takes a real device's memory";
  }
};

TEST_P(MeetingOnDevice, MovesBothByTheirCoefficients) {
  const Case& c = GetParam();
  Couple couple(c.shape, c.a, c.b, c.takes_device_memory);
  for (std::uint64_t number = 1; number <= 4; ++number) {
    MeetingPlan of_a = plan(number, c.shape.momentum ? 0.2 : 0.0, c.shape.momentum ? 1.3 : 0.0);
    MeetingPlan of_b = plan(number, c.shape.momentum ? 0.03 : 0.0, c.shape.momentum ? 1.3 : 0.0);
    of_a.wire = of_b.wire = c.shape.wire;
    const Expected expected(couple.a, couple.b, of_a, of_b, c.shape.momentum);
    const auto [a, b] = couple.meet(of_a, of_b);
    ASSERT_TRUE(a.complete) << a.error;
    ASSERT_TRUE(b.complete) << b.error;
    if (c.a == Home::kDevice && c.b == Home::kDevice) {
      ASSERT_EQ(couple.a.state(), expected.a);
      ASSERT_EQ(couple.b.state(), expected.b);
    }
    expect_near(couple.a.state(), expected.a);
    expect_near(couple.b.state(), expected.b);
    EXPECT_NEAR(a.squared_distance, expected.squared_distance, 1e-9 * expected.squared_distance);
    EXPECT_NEAR(b.squared_distance, expected.squared_distance, 1e-9 * expected.squared_distance);
    EXPECT_EQ(a.blocks_applied, couple.a.replica->block_count());
    for (Party* party : {&couple.a, &couple.b}) {
      party->replica->enter_trainer();
      party->replica->deliver();
      party->replica->leave_trainer();
    }
  }
}

TEST_P(MeetingOnDevice, KeepsTheInvariantWhenBothMoveAlike) {
  const Case& c = GetParam();
  Couple couple(c.shape, c.a, c.b, c.takes_device_memory);
  const auto a_before = couple.a.invariant(), b_before = couple.b.invariant();
  MeetingPlan both = plan(1, c.shape.momentum ? 0.2 : 0.0, c.shape.momentum ? 1.3 : 0.0);
  both.wire = c.shape.wire;
  const auto [a, b] = couple.meet(both, both);
  ASSERT_TRUE(a.complete && b.complete) << a.error << b.error;
  const auto a_after = couple.a.invariant(), b_after = couple.b.invariant();
  for (std::size_t i = 0; i < a_before.size(); ++i)
    EXPECT_NEAR(a_before[i] + b_before[i], a_after[i] + b_after[i], 3e-6) << "element " << i;
}

/// Broken off at any moment, with work under way on the device: the next meeting is as good as any.
TEST_P(MeetingOnDevice, CanBreakAtAnyMoment) {
  const Case& c = GetParam();
  Couple couple(c.shape, c.a, c.b, c.takes_device_memory);
  for (int turns = 0; turns < 20; ++turns) {
    {
      MeetingPlan both = plan(100 + static_cast<std::uint64_t>(turns), c.shape.momentum ? 0.1 : 0.0, 0.0);
      both.wire = c.shape.wire;
      Meeting one(*couple.a.replica, *couple.to_b, couple.a.staging, both, seconds());
      Meeting other(*couple.b.replica, *couple.to_a, couple.b.staging, both, seconds());
      for (int turn = 0; turn < turns; ++turn) {
        (turn % 2 == 0 ? couple.a : couple.b).context->poll(0);
        (turn % 2 == 0 ? one : other).advance(seconds());
      }
      one.abort("this worker leaves");
      EXPECT_TRUE(drive({couple.a.context.get()}, [&] { return one.advance(seconds()); }));
      couple.to_b.reset();
      EXPECT_TRUE(
          drive({couple.a.context.get(), couple.b.context.get()}, [&] { return other.advance(seconds()); }));
      const auto apart =
          static_cast<int>(one.result().blocks_applied) - static_cast<int>(other.result().blocks_applied);
      EXPECT_LE(std::abs(apart), c.shape.depth);
    }
    couple.to_a.reset();
    std::tie(couple.to_b, couple.to_a) =
        exchange::test::connect(*couple.a.context, "worker a", *couple.b.context, "worker b");
  }
  MeetingPlan both = plan(1, c.shape.momentum ? 0.1 : 0.0, c.shape.momentum ? 0.4 : 0.0);
  both.wire = c.shape.wire;
  const Expected expected(couple.a, couple.b, both, both, c.shape.momentum);
  const auto [a, b] = couple.meet(both, both);
  ASSERT_TRUE(a.complete && b.complete) << a.error << b.error;
  expect_near(couple.a.state(), expected.a);
  expect_near(couple.b.state(), expected.b);
}

constexpr auto kF32 = DType::kFloat32;
constexpr auto kBf16 = DType::kBFloat16;

INSTANTIATE_TEST_SUITE_P(
    Workers, MeetingOnDevice,
    ::testing::Values(
        Case{"both_on_devices", Home::kDevice, Home::kDevice, false, {{1500}, true, 128, 4, kF32, kF32}},
        Case{"one_element", Home::kDevice, Home::kDevice, false, {{1}, true, 128, 4, kF32, kF32}},
        Case{"one_in_flight", Home::kDevice, Home::kDevice, false, {{900}, true, 128, 1, kF32, kF32}},
        Case{"device_and_host", Home::kDevice, Home::kHost, false, {{1500}, true, 128, 4, kF32, kF32}},
        Case{"buffers_here_and_there",
             Home::kBoth,
             Home::kDevice,
             false,
             {{377, 1, 431, 0, 213, 64}, true, 100, 3, kF32, kF32}},
        Case{"without_momentum", Home::kDevice, Home::kHost, false, {{1500}, false, 128, 4, kF32, kF32}},
        Case{"bfloat16_wire", Home::kDevice, Home::kHost, false, {{1500, 33}, true, 128, 4, kBf16, kF32}},
        Case{"bfloat16_parameters", Home::kDevice, Home::kHost, false, {{1501}, true, 128, 4, kF32, kBf16}},
        Case{"bfloat16_all", Home::kDevice, Home::kDevice, false, {{1501}, true, 128, 2, kBf16, kBf16}},
        Case{"wire_on_device", Home::kDevice, Home::kDevice, true, {{1500}, true, 128, 4, kF32, kF32}},
        Case{"wire_on_device_to_host", Home::kHost, Home::kDevice, true, {{1500}, true, 128, 2, kF32, kF32}},
        Case{"wire_on_device_here_and_there",
             Home::kBoth,
             Home::kBoth,
             true,
             {{377, 1, 431, 5, 213, 64}, true, 100, 3, kBf16, kBf16}}),
    [](const auto& one) { return std::string(one.param.name); });

class OneMeetingOnDevice : public OnDevice {};

TEST_F(OneMeetingOnDevice, RefusesWhatIsNotFiniteAndAppliesWhatCameBefore) {
  Couple couple({{500}, true, 100, 4, kF32, kF32}, Home::kDevice, Home::kDevice);
  Party::State bad = couple.a.state();
  bad.x[250] = std::numeric_limits<float>::quiet_NaN();
  couple.a.write(bad);
  const auto before = couple.b.state();
  const auto [a, b] = couple.meet(plan(1, 0.0, 0.5), plan(1, 0.0, 0.5));
  for (const MeetingResult& result : {a, b}) {
    EXPECT_TRUE(result.rejected);
    EXPECT_EQ(result.blocks_applied, 2U);
    EXPECT_THAT(result.error, ::testing::HasSubstr("diverged"));
  }
  const auto after = couple.b.state();
  for (std::size_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(std::isfinite(after.d[i]) && std::isfinite(after.z[i]));
    if (i < 200) {
      EXPECT_NE(after.z[i], before.z[i]);
    } else {
      ASSERT_EQ(after.d[i], before.d[i]) << i;
    }
  }
}

TEST_F(OneMeetingOnDevice, RefusesADamagedBlock) {
  for (const bool takes_device_memory : {false, true}) {
    if (takes_device_memory && on_real_device()) continue;
    Couple couple({{500}, true, 100, 4, kF32, kF32}, Home::kDevice, Home::kDevice, takes_device_memory);
    MeetingPlan other_token = plan(1, 0.1, 0.5);
    other_token.token ^= 1;
    const auto [a, b] = couple.meet(plan(1, 0.1, 0.5), other_token);
    EXPECT_TRUE(a.rejected && b.rejected);
    EXPECT_EQ(a.blocks_applied, 0U);
    EXPECT_THAT(a.error, ::testing::HasSubstr("token"));
    EXPECT_THAT(a.error, ::testing::HasSubstr("worker b"));
  }
}

class MeetingOnFakeDevice : public OnFakeDevice {};

/// The gate covers what is enqueued, not what the device does with it.
TEST_F(MeetingOnFakeDevice, LetsTheTrainerThroughTheGateWhileTheDeviceIsBusy) {
  Couple couple({{1000}, true, 100, 4, kF32, kF32}, Home::kDevice, Home::kDevice);
  exchange::DevicePart& part = *couple.a.replica->parts().front();
  fake().hold(part.outgoing().handle());
  Meeting one(*couple.a.replica, *couple.to_b, couple.a.staging, plan(1, 0.1, 0.5), seconds());
  Meeting other(*couple.b.replica, *couple.to_a, couple.b.staging, plan(1, 0.1, 0.5), seconds());
  const auto turn = [&] {
    const bool first = one.advance(seconds());
    return other.advance(seconds()) && first;
  };
  EXPECT_FALSE(drive({couple.a.context.get(), couple.b.context.get()}, turn, 0.05));
  EXPECT_TRUE(one.device_busy());
  EXPECT_FALSE(one.gate_busy());
  for (int step = 0; step < 3; ++step) {
    couple.a.replica->enter_trainer();
    couple.a.replica->deliver();
    couple.a.replica->leave_trainer();
  }
  EXPECT_TRUE(part.trainer_waits(10.0)) << "the trainer's stream waits for passes, never for copies";
  fake().release(part.outgoing().handle());
  EXPECT_TRUE(drive({couple.a.context.get(), couple.b.context.get()}, turn));
  EXPECT_TRUE(one.result().complete) << one.result().error;
}

TEST_F(MeetingOnFakeDevice, WaitsOnTheDeviceForWhatTheTrainerHasEnqueued) {
  Couple couple({{1000}, true, 100, 4, kF32, kF32}, Home::kDevice, Home::kDevice);
  void* const trainer = couple.a.replica->parts().front()->trainer_stream().handle();
  fake().hold(trainer);
  couple.a.replica->enter_trainer();
  couple.a.replica->deliver();
  couple.a.replica->leave_trainer();
  Meeting one(*couple.a.replica, *couple.to_b, couple.a.staging, plan(1, 0.1, 0.5), seconds());
  Meeting other(*couple.b.replica, *couple.to_a, couple.b.staging, plan(1, 0.1, 0.5), seconds());
  const auto turn = [&] {
    const bool first = one.advance(seconds());
    return other.advance(seconds()) && first;
  };
  EXPECT_FALSE(drive({couple.a.context.get(), couple.b.context.get()}, turn, 0.05));
  EXPECT_EQ(one.result().bytes_sent, 0U);
  fake().release(trainer);
  EXPECT_TRUE(drive({couple.a.context.get(), couple.b.context.get()}, turn));
  EXPECT_TRUE(one.result().complete) << one.result().error;
}

TEST_F(MeetingOnFakeDevice, GivesAllMemoryBack) {
  const std::size_t before = fake().allocations();
  {
    Couple couple({{1000}, true, 100, 4, kF32, kF32}, Home::kDevice, Home::kDevice);
    Meeting one(*couple.a.replica, *couple.to_b, couple.a.staging, plan(1, 0.1, 0.5), seconds());
    Meeting other(*couple.b.replica, *couple.to_a, couple.b.staging, plan(1, 0.1, 0.5), seconds());
    for (int i = 0; i < 10; ++i) {
      couple.a.context->poll(0);
      one.advance(seconds());
      other.advance(seconds());
    }
    EXPECT_GT(fake().allocations(), before);
  }
  EXPECT_EQ(fake().allocations(), before);
}

}  // namespace
}  // namespace duet::test
