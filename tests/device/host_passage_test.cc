// Host memory over a transport that moves device memory only.
#include "transport/host_passage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "device/rig.h"

namespace duet::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using transport::Completion;
using transport::Connection;
using transport::Context;
using transport::now_ns;

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t in(double seconds) {
  return now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
}

class HostPassage : public OnFakeDevice {
 protected:
  void SetUp() override {
    OnFakeDevice::SetUp();
    a_ = open_device_only_context();
    b_ = open_device_only_context(open_device(1));
    a_to_b_ = a_->connect("rank 1", 1, b_->address(), in(10));
    b_to_a_ = b_->accept("rank 0", 1, in(10));
  }
  bool turn(const std::function<bool()>& done, double seconds = 20.0) {
    const std::uint64_t end = in(seconds);
    while (!done()) {
      if (now_ns() > end) return false;
      if (a_ != nullptr) a_->poll(100'000);
      if (b_ != nullptr) b_->poll(100'000);
    }
    return true;
  }
  static Completion record(std::vector<duet_status>& into) {
    return [&into](duet_status status, std::uint64_t) { into.push_back(status); };
  }

  std::unique_ptr<Context> a_, b_;
  std::unique_ptr<Connection> a_to_b_, b_to_a_;
};

TEST_F(HostPassage, CarriesMessagesOfAnySizeInTheirOrder) {
  const std::vector<std::size_t> sizes = {1, 0, 100'000, 4096, 64, 1'000'001};
  std::vector<std::vector<unsigned char>> out, in_there;
  std::vector<std::uint64_t> received;
  std::vector<duet_status> sent;
  for (const std::size_t size : sizes) {
    out.emplace_back(size);
    std::iota(out.back().begin(), out.back().end(), static_cast<unsigned char>(out.size()));
    in_there.emplace_back(size);
  }
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    ASSERT_TRUE(
        b_to_a_->receive(in_there[i].data(), sizes[i], in(20), [&](duet_status status, std::uint64_t n) {
          EXPECT_EQ(status, DUET_OK);
          received.push_back(n);
        }));
    ASSERT_TRUE(a_to_b_->send(out[i].data(), sizes[i], in(20), record(sent)));
  }
  EXPECT_EQ(a_->in_flight(), sizes.size());
  ASSERT_TRUE(turn([&] { return sent.size() == sizes.size() && received.size() == sizes.size(); }));
  EXPECT_EQ(out, in_there);
  EXPECT_EQ(a_->in_flight() + b_->in_flight(), 0U);
}

TEST_F(HostPassage, WhatIsOnTheDeviceAlreadyDoesNotOvertake) {
  std::vector<float> first(1000, 1.0F), got_first(1000);
  const DeviceArray second(open_device(), std::vector<float>(1000, 2.0F));
  std::vector<float> got_second(1000);
  std::vector<duet_status> ended;
  fake().hold_all(true);
  ASSERT_TRUE(a_to_b_->send(first.data(), 4000, in(20), record(ended)));
  const transport::DeviceMemory there{second.data(), 0, nullptr};
  EXPECT_FALSE(a_to_b_->send(there, 4000, in(20), record(ended))) << "not before the one before it";
  std::uint64_t timeout = kSecond;
  a_->arm(timeout);
  EXPECT_LT(timeout, kSecond / 100) << "the device's copy wakes nobody";
  fake().hold_all(false);
  ASSERT_TRUE(b_to_a_->receive(got_first.data(), 4000, in(20), record(ended)));
  ASSERT_TRUE(b_to_a_->receive(got_second.data(), 4000, in(20), record(ended)));
  bool posted = false;
  ASSERT_TRUE(turn([&] {
    if (!posted) posted = a_to_b_->send(there, 4000, in(20), record(ended));
    return ended.size() == 4;
  }));
  EXPECT_EQ(ended, std::vector<duet_status>(4, DUET_OK));
  EXPECT_EQ(got_first, first);
  EXPECT_EQ(got_second, std::vector<float>(1000, 2.0F));
}

TEST_F(HostPassage, EndsAtTheDeadlineWhateverTheDeviceDoes) {
  std::vector<duet_status> ended;
  int value = 1;
  fake().hold_all(true);
  ASSERT_TRUE(a_to_b_->send(&value, sizeof value, in(0.05), record(ended)));
  EXPECT_TRUE(turn([&] { return !ended.empty(); }));
  fake().hold_all(false);
  EXPECT_THAT(ended, ElementsAre(DUET_TIMED_OUT));

  // A message that has arrived, and does not get to the host.
  ended.clear();
  int got = 7;
  std::vector<duet_status> sent;
  ASSERT_TRUE(a_to_b_->send(&value, sizeof value, in(20), record(sent)));
  turn([] { return false; }, 0.2);  // until the transport has it
  fake().hold_all(true);
  ASSERT_TRUE(b_to_a_->receive(&got, sizeof got, in(0.2), record(ended)));
  EXPECT_TRUE(turn([&] { return !ended.empty(); }));
  EXPECT_THAT(ended, ElementsAre(DUET_TIMED_OUT));
  fake().hold_all(false);
  fake().drain();
  EXPECT_EQ(got, 7) << "what the caller has back is written to no more";
}

TEST_F(HostPassage, ClosingCancelsWhatIsNotUnderWayYet) {
  std::vector<duet_status> ended;
  int value = 1;
  fake().hold_all(true);
  ASSERT_TRUE(a_to_b_->send(&value, sizeof value, in(20), record(ended)));
  a_to_b_.reset();
  EXPECT_TRUE(ended.empty());
  EXPECT_TRUE(turn([&] { return !ended.empty(); }));
  fake().hold_all(false);
  EXPECT_THAT(ended, ElementsAre(DUET_CANCELLED));
}

TEST_F(HostPassage, RefusedOperationsReportThroughPoll) {
  b_to_a_.reset();
  std::vector<duet_status> ended;
  int value = 1;
  ASSERT_TRUE(a_to_b_->receive(&value, sizeof value, in(20), record(ended)));
  ASSERT_TRUE(a_to_b_->send(&value, sizeof value, in(20), record(ended)));
  EXPECT_TRUE(turn([&] { return ended.size() == 2; }));
  EXPECT_THAT(ended, ElementsAre(DUET_PEER_LOST, DUET_PEER_LOST));
}

TEST_F(HostPassage, EndsWithItsContextAndLeavesNothing) {
  fake().drain();
  auto kept = std::make_shared<int>(0);
  std::vector<int> values(100, 3);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(a_to_b_->send(values.data(), 400, in(20), [kept](duet_status, std::uint64_t) { FAIL(); }));
    ASSERT_TRUE(a_to_b_->receive(values.data(), 400, in(20), [kept](duet_status, std::uint64_t) { FAIL(); }));
  }
  a_.reset();
  EXPECT_EQ(kept.use_count(), 1) << "callbacks that never ran are destroyed";
  EXPECT_THROW(a_to_b_->send(values.data(), 400, 0, {}), TransportError);
  b_to_a_.reset();
  b_.reset();
  a_to_b_.reset();
  EXPECT_EQ(fake().allocations(), 0U);
}

TEST_F(HostPassage, UsesItsMemoryAgain) {
  std::vector<int> out(1000, 1), got(1000);
  std::size_t before = 0;
  for (int i = 0; i < 50; ++i) {
    std::vector<duet_status> ended;
    ASSERT_TRUE(a_to_b_->send(out.data(), 4000, in(20), record(ended)));
    ASSERT_TRUE(b_to_a_->receive(got.data(), 4000, in(20), record(ended)));
    ASSERT_TRUE(turn([&] { return ended.size() == 2; }));
    if (i == 10) before = fake().allocations();
  }
  EXPECT_EQ(fake().allocations(), before);
}

TEST_F(HostPassage, IsNeededByATransportWithoutHostMemory) {
  try {
    open_device_only_context(nullptr);
    FAIL() << "it was opened";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("moves CUDA memory only"), HasSubstr("Buffer::device")));
  }
}

}  // namespace
}  // namespace duet::test
