#include "telemetry/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>

#include "sample_frames.h"

namespace duet::telemetry {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view bytes) {
  std::string reason;
  EXPECT_FALSE(decode(bytes, &reason).has_value());
  return reason;
}

Frame state_frame() {
  return sample_frames()[1];
}
FrameState& state_of(Frame& frame) {
  return std::get<FrameState>(frame.content);
}
FrameHeader& header_of(Frame& frame) {
  return std::get<FrameHeader>(frame.content);
}

TEST(Frames, BothKindsSurviveTheRoundTrip) {
  for (const Frame& frame : sample_frames()) {
    const std::string bytes = encode(frame);
    std::string reason;
    const auto back = decode(bytes, &reason);
    ASSERT_TRUE(back.has_value()) << reason;
    EXPECT_EQ(back->run_id, frame.run_id);
    EXPECT_EQ(back->rank, frame.rank);
    EXPECT_EQ(back->incarnation, frame.incarnation);
    EXPECT_EQ(back->sequence, frame.sequence);
    EXPECT_EQ(back->time, frame.time);
    EXPECT_EQ(back->content.index(), frame.content.index());
    // Field by field as bytes: nothing of the samples is at its default, so what is not carried would show.
    EXPECT_EQ(encode(*back), bytes);
  }
  auto frames = sample_frames();
  EXPECT_EQ(header_of(frames[0]), std::get<FrameHeader>(decode(encode(frames[0]))->content));
  const auto state = std::get<FrameState>(decode(encode(frames[1]))->content);
  EXPECT_EQ(state.events, state_of(frames[1]).events);
  EXPECT_EQ(state.edges, state_of(frames[1]).edges);
  EXPECT_EQ(state.step_duration, state_of(frames[1]).step_duration);
  EXPECT_EQ(state.heartbeat_ages, state_of(frames[1]).heartbeat_ages);
  ASSERT_EQ(state.ticks.size(), 1u);
  EXPECT_EQ(state.ticks[0].tick, 8'500'000'000u);
  EXPECT_EQ(state.ticks[0].consensus_distance, 0.5);
}

TEST(Frames, ATickThatIsMissingIsAbsentAndNoNumber) {
  Frame frame = state_frame();
  state_of(frame).ticks.clear();
  state_of(frame).events.clear();
  state_of(frame).edges.clear();
  state_of(frame).heartbeat_ages.clear();
  std::string reason;
  const auto back = decode(encode(frame), &reason);
  ASSERT_TRUE(back.has_value()) << reason;
  EXPECT_TRUE(std::get<FrameState>(back->content).ticks.empty());
}

TEST(Frames, ParametersThatAreNotFiniteShow) {
  Frame frame = state_frame();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  state_of(frame).ticks[0].consensus_distance = nan;
  state_of(frame).ticks[0].distance_to_mean = std::numeric_limits<double>::infinity();
  state_of(frame).ticks[0].loss = nan;
  state_of(frame).loss = nan;
  const auto state = std::get<FrameState>(decode(encode(frame))->content);
  EXPECT_TRUE(std::isnan(state.ticks[0].consensus_distance));
  EXPECT_TRUE(std::isinf(state.ticks[0].distance_to_mean));
  EXPECT_TRUE(std::isnan(state.loss));
}

TEST(Frames, BytesMayLieAnywhereInMemory) {
  for (const Frame& frame : sample_frames()) {
    const std::string bytes = encode(frame);
    for (std::size_t shift = 0; shift < 9; ++shift) {
      const std::string shifted = std::string(shift, 'x') + bytes;
      const auto back = decode(std::string_view(shifted).substr(shift));
      ASSERT_TRUE(back.has_value());
      EXPECT_EQ(encode(*back), bytes);
    }
  }
}

TEST(Frames, WhatIsNoneIsRefusedWithAReason) {
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("x"), HasSubstr("no telemetry"));
  EXPECT_THAT(refusal("GET / HTTP/1.1\r\n\r\n"), HasSubstr("no telemetry"));
  EXPECT_FALSE(decode("without asking for the reason").has_value());
}

TEST(Frames, AnotherVersionIsRefusedWithBothNumbers) {
  // The version is the first scalar of the root table, found through the table's own vtable.
  std::string bytes = encode(state_frame());
  const auto at = [&bytes](std::size_t offset, auto value) {
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  };
  const std::size_t root = at(0, std::uint32_t{});
  const std::size_t vtable = root - static_cast<std::size_t>(at(root, std::int32_t{}));
  const std::size_t version = root + at(vtable + 4, std::uint16_t{});
  ASSERT_EQ(at(version, std::uint32_t{}), kFrameVersion);
  const std::uint32_t other = 9;
  std::memcpy(bytes.data() + version, &other, sizeof other);
  EXPECT_THAT(refusal(bytes), HasSubstr("version 9"));
  EXPECT_THAT(refusal(bytes), HasSubstr("version " + std::to_string(kFrameVersion)));
}

TEST(Frames, ValuesOutOfRangeAreRefused) {
  const auto refused = [](auto change) {
    Frame frame = state_frame();
    change(state_of(frame));
    return refusal(encode(frame));
  };
  EXPECT_THAT(refused([](FrameState& state) { state.phase = static_cast<membership::Phase>(8); }),
              HasSubstr("phase is 8"));
  EXPECT_THAT(refused([](FrameState& state) { state.edges[0].peer = -1; }), HasSubstr("peer is -1"));
  EXPECT_THAT(refused([](FrameState& state) { state.wait_seconds = std::nan(""); }), HasSubstr("wait"));
  EXPECT_THAT(refused([](FrameState& state) { state.ticks[0].consensus_distance = -1.0; }),
              HasSubstr("consensus distance"));
  EXPECT_THAT(refused([](FrameState& state) { state.events[0].kind = static_cast<FrameEventKind>(99); }),
              HasSubstr("kind is 99"));
  EXPECT_THAT(refused([](FrameState& state) { state.events[1].reason = 99; }), HasSubstr("reason is 99"));
  EXPECT_THAT(refused([](FrameState& state) { state.heartbeat_ages[0] = -1.0F; }), HasSubstr("heartbeat"));
  Frame frame = state_frame();
  frame.rank = -1;
  EXPECT_THAT(refusal(encode(frame)), HasSubstr("rank is -1"));
}

TEST(Frames, WhatCannotBeCarriedIsRefusedOrCounted) {
  Frame frame = sample_frames()[0];
  header_of(frame).host = std::string(kLargestFrameText + 1, 'x');
  EXPECT_THROW(encode(frame), std::length_error);

  frame = sample_frames()[0];
  header_of(frame).edges.assign(kMostFrameEdges + 5, {0, 1, 1.0});
  const auto header = std::get<FrameHeader>(decode(encode(frame))->content);
  EXPECT_EQ(header.edges.size(), kMostFrameEdges);
  EXPECT_EQ(header.edges_left_out, 9u + 5u);
}

TEST(Frames, NoDamageCrashesOrIsBelievedBlindly) {
  std::mt19937 random(7);
  int refused = 0;
  for (const Frame& frame : sample_frames()) {
    const std::string bytes = encode(frame);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      refused += !decode(std::string_view(bytes).substr(0, cut)).has_value() ? 1 : 0;
    for (int round = 0; round < 4000; ++round) {
      std::string damaged = bytes;
      for (int flips = 0; flips < 3; ++flips)
        damaged[random() % damaged.size()] ^= static_cast<char>(1u << (random() % 8));
      const auto back = decode(damaged);
      // What passes is a frame: it can be told again.
      if (back.has_value()) {
        EXPECT_NO_THROW(encode(*back));
      } else {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(Frames, EveryReasonAndEventHasAName) {
  for (std::size_t i = 0; i < kFailureReasons; ++i)
    EXPECT_STRNE(to_string(static_cast<FailureReason>(i)), "unknown");
  for (std::size_t i = 0; i < kRejectReasons; ++i)
    EXPECT_STRNE(to_string(static_cast<RejectReason>(i)), "unknown");
  for (int i = 0; i <= static_cast<int>(kLastEventKind); ++i)
    EXPECT_STRNE(to_string(static_cast<FrameEventKind>(i)), "unknown");
}

}  // namespace
}  // namespace duet::telemetry
