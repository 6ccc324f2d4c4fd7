#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "transport/fault_injection.h"
#include "transport/faults.h"
#include "transport/services.h"

namespace duet::transport {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000 * kMillisecond;

std::uint64_t in(std::uint64_t nanoseconds) {
  return now_ns() + nanoseconds;
}

TEST(ParseFaults, ReadsEveryItemInAnyOrder) {
  const Faults faults =
      parse_faults("seed=7,delay=0.002,bandwidth=1e8,drop=0.01,corrupt=0.001,disconnect=1,edges=0.25:5");
  EXPECT_EQ(faults, (Faults{.delay = 0.002,
                            .bandwidth = 1e8,
                            .drop = 0.01,
                            .corrupt = 0.001,
                            .disconnect = 1.0,
                            .slow_edges = 0.25,
                            .slow_factor = 5.0,
                            .seed = 7}));
  EXPECT_EQ(parse_faults(""), Faults{});
  EXPECT_EQ(parse_faults(to_string(faults)), faults);
}

class BadFaults : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BadFaults, AreRefusedByName) {
  const auto& [text, named] = GetParam();
  try {
    parse_faults(text);
    FAIL() << text << " was accepted";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), HasSubstr(named));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Items, BadFaults,
    ::testing::Values(std::pair{"delay", "\"delay\""}, std::pair{"delay=", "delay="},
                      std::pair{"drop=0.1,delay=1s", "delay=1s"}, std::pair{"delay=-1", "delay=-1"},
                      std::pair{"delay=nan", "delay=nan"}, std::pair{"drop=1.5", "drop=1.5"},
                      std::pair{"drop=0.1,drop=0.2", "twice"}, std::pair{"drop=0.1,,seed=1", "\"\""},
                      std::pair{"speed=3", "speed=3"}, std::pair{"bandwidth=0", "bandwidth=0"},
                      std::pair{"delay=1,edges=0.5", "edges=0.5"},
                      std::pair{"delay=1,edges=0.5:0.5", "FACTOR"}, std::pair{"edges=0.5:2", "edges"},
                      std::pair{"seed=-1", "seed=-1"}, std::pair{"seed=1e9", "seed=1e9"}));

/// Two endpoints whose transport has faults, and messages between them.
class FaultsTest : public ::testing::Test {
 protected:
  void open(const std::string& faults) {
    const auto transport = load_transport("inproc", {}, faults);
    a_ = std::make_unique<Context>(transport, Settings{});
    b_ = std::make_unique<Context>(transport, Settings{});
  }
  void join(std::uint64_t session) {
    a_to_b_ = a_->connect("rank 1", session, b_->address(), in(5 * kSecond));
    b_to_a_ = b_->accept("rank 0", session, in(5 * kSecond));
  }

  struct Outcome {
    duet_status sent = -1, received = -1;
    double seconds = 0.0;  // until the receive ended
    std::vector<unsigned char> data;
  };
  Outcome transfer(std::size_t bytes, std::uint64_t deadline_after = 5 * kSecond) {
    Outcome outcome;
    std::vector<unsigned char> data(bytes);
    std::iota(data.begin(), data.end(), static_cast<unsigned char>(1));
    outcome.data.resize(bytes);
    const std::uint64_t start = now_ns();
    EXPECT_TRUE(
        b_to_a_->receive(outcome.data.data(), bytes, start + deadline_after, [&](duet_status status, auto) {
          outcome.received = status;
          outcome.seconds = static_cast<double>(now_ns() - start) / 1e9;
        }));
    EXPECT_TRUE(a_to_b_->send(data.data(), bytes, start + deadline_after,
                              [&](duet_status status, auto) { outcome.sent = status; }));
    while ((outcome.sent < 0 || outcome.received < 0) && now_ns() - start < 10 * kSecond) {
      a_->poll(0);
      b_->poll(kMillisecond);
    }
    EXPECT_EQ(a_->in_flight() + b_->in_flight(), 0u);
    sent_ = std::move(data);
    return outcome;
  }

  std::unique_ptr<Context> a_, b_;
  std::unique_ptr<Connection> a_to_b_, b_to_a_;
  std::vector<unsigned char> sent_;
};

TEST_F(FaultsTest, ADelayHoldsTheMessageBackForThatLong) {
  open("delay=0.06");
  join(1);
  const Outcome outcome = transfer(100);
  EXPECT_EQ(outcome.received, DUET_OK);
  EXPECT_EQ(outcome.data, sent_);
  EXPECT_GE(outcome.seconds, 0.06);
  EXPECT_LT(outcome.seconds, 1.0);
}

TEST_F(FaultsTest, ADelayBeyondTheDeadlineTimesOutAtTheDeadline) {
  open("delay=3");
  join(1);
  const Outcome outcome = transfer(100, 50 * kMillisecond);
  EXPECT_EQ(outcome.sent, DUET_OK);
  EXPECT_EQ(outcome.received, DUET_TIMED_OUT);
  EXPECT_GE(outcome.seconds, 0.05);
  EXPECT_LT(outcome.seconds, 1.0);
  EXPECT_THAT(b_to_a_->error(), HasSubstr("injected"));
  EXPECT_THAT(b_to_a_->error(), HasSubstr("rank 0"));
}

TEST_F(FaultsTest, ABandwidthMakesMessagesQueueUpOnTheLine) {
  open("bandwidth=1e6");
  join(1);
  std::vector<char> out(20'000), back(out.size() * 3);
  int left = 3;
  const std::uint64_t start = now_ns();
  for (int i = 0; i < 3; ++i) {
    b_to_a_->receive(back.data() + i * out.size(), out.size(), 0, [&](duet_status, auto) { --left; });
    a_to_b_->send(out.data(), out.size(), 0, [](duet_status, auto) {});
  }
  while (left > 0 && now_ns() - start < 5 * kSecond)
    b_->poll(10 * kMillisecond);
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  EXPECT_EQ(left, 0);
  EXPECT_GE(seconds, 0.06) << "three messages of 20 kB at 1 MB/s";
  EXPECT_LT(seconds, 1.0);
  a_->poll(0);
}

TEST_F(FaultsTest, ADroppedMessageTimesOutAtItsReceiverAndStallsTheStream) {
  open("drop=0.5,seed=3");
  join(1);
  const std::uint64_t drops = counters()["injected_drops"];
  bool stalled = false;
  for (int i = 0; i < 12; ++i) {
    const Outcome outcome = transfer(64, stalled ? 10 * kMillisecond : 100 * kMillisecond);
    EXPECT_EQ(outcome.sent, DUET_OK) << "the sender of a lost message is not told";
    if (outcome.received == DUET_OK) {
      EXPECT_FALSE(stalled) << "a message overtook one that was lost";
      EXPECT_EQ(outcome.data, sent_);
    } else {
      EXPECT_EQ(outcome.received, DUET_TIMED_OUT);
      stalled = true;
    }
  }
  EXPECT_TRUE(stalled);
  EXPECT_EQ(counters()["injected_drops"], drops + 1);
}

TEST_F(FaultsTest, CorruptionFlipsExactlyOneBit) {
  open("corrupt=1");
  join(1);
  const Outcome outcome = transfer(1000);
  EXPECT_EQ(outcome.received, DUET_OK);
  int flipped = 0;
  for (std::size_t i = 0; i < sent_.size(); ++i)
    flipped += __builtin_popcount(sent_[i] ^ outcome.data[i]);
  EXPECT_EQ(flipped, 1);
  EXPECT_EQ(b_->capabilities() & DUET_CAPABILITY_INTEGRITY, 0u) << "it must not claim integrity";
}

TEST_F(FaultsTest, ADisconnectFailsBothEndsAndEveryOperationOnce) {
  open("disconnect=1");
  join(1);
  char byte = 0;
  int mine = 0, theirs = 0;
  const auto lost = [](int& count) {
    return [&count](duet_status status, auto) {
      EXPECT_EQ(status, DUET_PEER_LOST);
      ++count;
    };
  };
  a_to_b_->receive(&byte, 1, 0, lost(mine));
  b_to_a_->receive(&byte, 1, 0, lost(theirs));
  a_to_b_->send(&byte, 1, 0, lost(mine));
  for (int i = 0; i < 5; ++i) {
    a_->poll(0);
    b_->poll(0);
  }
  EXPECT_EQ(mine, 2);
  EXPECT_EQ(theirs, 1);
  EXPECT_EQ(a_to_b_->state(), Connection::State::kFailed);
  EXPECT_EQ(b_to_a_->state(), Connection::State::kFailed);
  EXPECT_THAT(a_to_b_->error(), HasSubstr("rank 1: disconnected by an injected fault"));
}

TEST_F(FaultsTest, ClosingEndsAHeldMessageAtOnce) {
  open("delay=60");
  join(1);
  char out = 1, back = 0;
  std::vector<duet_status> ended;
  b_to_a_->receive(&back, 1, 0, [&](duet_status status, auto) { ended.push_back(status); });
  a_to_b_->send(&out, 1, 0, [](duet_status, auto) {});
  b_->poll(0);
  b_to_a_.reset();
  b_->poll(kSecond);
  EXPECT_EQ(ended, std::vector<duet_status>{DUET_CANCELLED});
}

TEST_F(FaultsTest, SlowEdgesAreSlowFromBothEndsAndTheRightShareOfThem) {
  open("delay=0.001,edges=0.3:30");
  int slow = 0;
  constexpr int kEdges = 60;
  for (int session = 1; session <= kEdges; ++session) {
    join(session);
    const bool forth = transfer(8).seconds > 0.03;
    std::swap(a_, b_);
    std::swap(a_to_b_, b_to_a_);
    const bool back = transfer(8).seconds > 0.03;
    std::swap(a_, b_);
    std::swap(a_to_b_, b_to_a_);
    // A busy machine can make a fast edge look slow, but not a slow one fast.
    slow += forth && back ? 1 : 0;
  }
  EXPECT_GE(slow, kEdges * 0.3 - 12);
  EXPECT_LE(slow, kEdges * 0.3 + 12);
}

TEST_F(FaultsTest, TheSameSeedAndSessionsGiveTheSameFaults) {
  const auto run = [&](const std::string& seed) {
    open("corrupt=0.5,seed=" + seed);
    join(42);
    std::vector<std::vector<unsigned char>> got;
    for (int i = 0; i < 20; ++i)
      got.push_back(transfer(64).data);
    return got;
  };
  const auto first = run("1");
  EXPECT_EQ(run("1"), first);
  EXPECT_NE(run("2"), first);
}

TEST(InjectFaults, SharesEqualDecoratorsAndReturnsTheirSlots) {
  const auto inner = load_transport("inproc", {});
  for (int i = 0; i < 100; ++i) {
    const Faults faults{.delay = 1.0 + i};
    const auto one = inject_faults(inner, faults);
    EXPECT_EQ(one, inject_faults(inner, faults));
    EXPECT_EQ(one->name(), "inproc");
  }
  std::vector<std::shared_ptr<const Transport>> many;
  EXPECT_THROW(for (int i = 0; i < 100; ++i) many.push_back(inject_faults(inner, Faults{.delay = 1.0 + i})),
               TransportError);
}

TEST(InjectFaults, DecoratesADecoratedTransport) {
  auto twice = inject_faults(inject_faults(load_transport("inproc", {}), Faults{.delay = 0.01}),
                             Faults{.delay = 0.02});
  Context a(twice, {}), b(twice, {});
  twice.reset();
  const auto out = a.connect("rank 1", 1, b.address(), in(kSecond));
  const auto back = b.accept("rank 0", 1, in(kSecond));
  char byte = 5, got = 0;
  bool done = false;
  const std::uint64_t start = now_ns();
  back->receive(&got, 1, 0, [&](duet_status status, auto) { done = status == DUET_OK; });
  out->send(&byte, 1, 0, [](duet_status, auto) {});
  while (!done && now_ns() - start < 5 * kSecond)
    b.poll(kMillisecond);
  EXPECT_EQ(got, 5);
  EXPECT_GE(now_ns() - start, 30 * kMillisecond);
}

}  // namespace
}  // namespace duet::transport
