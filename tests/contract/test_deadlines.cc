#include <algorithm>

#include "contract/contract_test.h"
#include "support/sanitizers.h"

namespace duet::contract {
namespace {

using ::testing::HasSubstr;

/// The contract's allowance. A busy machine may spoil one measurement, hence the attempts; a transport that
/// is late by itself is late each time.
constexpr std::uint64_t kAllowance = 100 * kMillisecond;
constexpr int kAttempts = 4;

class Deadlines : public ContractTest {
 protected:
  /// Runs `measure`, which returns by how much a deadline was missed, until it once was in time.
  template <typename Measure>
  void expect_in_time(Measure measure) {
    std::uint64_t best = UINT64_MAX;
    for (int attempt = 0; attempt < kAttempts && best > kAllowance; ++attempt) {
      best = std::min<std::uint64_t>(best, measure(attempt));
      if (HasFatalFailure()) return;
    }
    EXPECT_LE(best, kAllowance) << "nanoseconds late";
  }
};

TEST_P(Deadlines, OfConnectionsThatNobodyAnswers) {
  holds_to({"TIME-2", "ERR-1"});
  const auto a = endpoint(), b = endpoint();
  for (const bool accept : {false, true}) {
    SCOPED_TRACE(accept ? "accept" : "connect");
    expect_in_time([&](int attempt) -> std::uint64_t {
      const std::uint64_t deadline = in(150 * kMillisecond);
      const std::uint64_t session = 100 * (accept ? 1 : 2) + attempt;
      duet_connection* const connection =
          accept ? a->accept(session, deadline, "rank 3") : a->connect(*b, session, deadline, "rank 3");
      duet_error error{};
      EXPECT_TRUE(
          turn({a.get(), b.get()}, [&] { return a->state(connection, &error) != DUET_CONNECTION_PENDING; }));
      const std::uint64_t failed_at = now_ns();
      EXPECT_EQ(a->state(connection, &error), DUET_CONNECTION_FAILED);
      EXPECT_EQ(Status(error.status), DUET_TIMED_OUT);
      EXPECT_THAT(std::string(error.text), HasSubstr("rank 3"));
      EXPECT_GE(failed_at, deadline);
      a->close(connection);
      return failed_at - deadline;
    });
  }
}

TEST_P(Deadlines, OfReceivesThatNobodyServes) {
  holds_to({"TIME-1", "ERR-2"});
  std::uint64_t session = 0;
  expect_in_time([&](int) -> std::uint64_t {
    Pair pair = joined(++session);
    char byte = 0;
    const std::uint64_t deadline = in(150 * kMillisecond);
    const auto received = pair.a->receive(pair.ab, &byte, 1, deadline);
    EXPECT_TRUE(pair.turn([&] { return pair.a->ended(received); }));
    const std::uint64_t ended_at = now_ns();
    EXPECT_EQ(pair.a->status(received), DUET_TIMED_OUT);
    EXPECT_GE(ended_at, deadline);
    if (table_.last_error != nullptr) {
      duet_error error{};
      table_.last_error(pair.ab, &error);
      EXPECT_EQ(Status(error.status), DUET_TIMED_OUT);
      EXPECT_THAT(std::string(error.text), HasSubstr("rank 7"));
    }
    return ended_at - deadline;
  });
}

TEST_P(Deadlines, OfSendsThatNobodyTakes) {
  holds_to({"TIME-1"});
  std::uint64_t session = 0;
  expect_in_time([&](int) -> std::uint64_t {
    Pair pair = joined(++session);
    const std::vector<unsigned char> big(up_to(16u << 20));
    const std::uint64_t deadline = in(150 * kMillisecond);
    const auto sent = pair.a->send(pair.ab, big.data(), big.size(), deadline);
    EXPECT_TRUE(pair.turn([&] { return pair.a->ended(sent); }));
    const std::uint64_t ended_at = now_ns();
    // A transport may buffer it, and is then done with the sender's memory.
    EXPECT_TRUE(pair.a->status(sent) == DUET_TIMED_OUT || pair.a->status(sent) == DUET_OK)
        << pair.a->status(sent);
    return ended_at > deadline ? ended_at - deadline : 0;
  });
}

TEST_P(Deadlines, HoldWhenOnePollSleepsThroughThem) {
  holds_to({"TIME-1", "POLL-1"});
  std::uint64_t session = 0;
  expect_in_time([&](int) -> std::uint64_t {
    Pair pair = joined(++session);
    pair.idle(20 * kMillisecond);
    char byte = 0;
    const std::uint64_t deadline = in(150 * kMillisecond);
    const auto received = pair.a->receive(pair.ab, &byte, 1, deadline);
    const std::uint64_t give_up = in(kPatience);
    while (!pair.a->ended(received) && now_ns() < give_up)
      pair.a->poll(5 * kSecond);
    EXPECT_EQ(pair.a->status(received), DUET_TIMED_OUT);
    return now_ns() - deadline;
  });
}

TEST_P(Deadlines, OfOperationsOnPendingConnections) {
  holds_to({"TIME-1", "CONN-2"});
  std::uint64_t session = 0;
  const auto a = endpoint(), b = endpoint();
  expect_in_time([&](int) -> std::uint64_t {
    duet_connection* const ab = a->connect(*b, ++session, in(kPatience));
    char byte = 0;
    const std::uint64_t deadline = in(100 * kMillisecond);
    const auto received = a->receive(ab, &byte, 1, deadline);
    const auto sent = a->send(ab, &byte, 1, deadline);
    EXPECT_TRUE(turn({a.get(), b.get()}, [&] { return a->ended(received) && a->ended(sent); }));
    const std::uint64_t ended_at = now_ns();
    EXPECT_EQ(a->status(received), DUET_TIMED_OUT);
    EXPECT_EQ(a->status(sent), DUET_TIMED_OUT);
    EXPECT_NE(a->state(ab), DUET_CONNECTION_READY);
    a->close(ab);
    return ended_at > deadline ? ended_at - deadline : 0;
  });
}

TEST_P(Deadlines, ThatHavePassedAlreadyEndTheOperationAtOnce) {
  holds_to({"TIME-1"});
  Pair pair = joined();
  char byte = 0;
  const auto received = pair.a->receive(pair.ab, &byte, 1, now_ns() - 1);
  ASSERT_TRUE(pair.turn([&] { return pair.a->ended(received); }, kSecond));
  EXPECT_EQ(pair.a->status(received), DUET_TIMED_OUT);
}

TEST_P(Deadlines, GiveTheBufferBackForGood) {
  holds_to({"OP-3"});
  Pair pair = joined();
  for (const std::size_t bytes : {500u, 500'000u}) {
    SCOPED_TRACE(bytes);
    if (bytes > 500) join(pair, bytes);
    const auto out = pattern(bytes, 1);
    std::vector<unsigned char> mine(bytes);
    const auto received = pair.b->receive(pair.ba, mine.data(), bytes, in(30 * kMillisecond));
    ASSERT_TRUE(pair.turn([&] { return pair.b->ended(received); }));
    ASSERT_EQ(pair.b->status(received), DUET_TIMED_OUT);
    std::fill(mine.begin(), mine.end(), 0x5a);
    pair.a->send(pair.ab, out.data(), bytes, in(100 * kMillisecond));
    ASSERT_TRUE(pair.finish());
    pair.idle(50 * kMillisecond);
    EXPECT_TRUE(std::all_of(mine.begin(), mine.end(), [](unsigned char c) { return c == 0x5a; }))
        << "written after its completion";
  }
}

TEST_P(Deadlines, DoNotTouchOperationsThatAreInTime) {
  holds_to({"TIME-1"});
  Pair pair = joined();
  constexpr int kMessages = 48;
  std::vector<int> out(kMessages), back(kMessages);
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < kMessages; ++i) {
    out[i] = i;
    ids.push_back(pair.b->receive(pair.ba, &back[i], sizeof(int), in(kPatience + i * kMillisecond)));
    pair.a->send(pair.ab, &out[i], sizeof(int), in(kPatience - i * kMillisecond));
    if ((i + 1) % static_cast<int>(kRoom) == 0) {
      ASSERT_TRUE(pair.finish());
    }
  }
  for (const auto id : ids)
    EXPECT_EQ(pair.b->status(id), DUET_OK);
  EXPECT_EQ(back, out);
}

TEST_P(Deadlines, InTheMiddleOfAMessageWhoseOtherEndStandsStill) {
  holds_to({"TIME-3", "TIME-1", "OP-3"});
  // Long enough to fill whatever buffers are on the way; ThreadSanitizer takes seconds for so much.
#ifdef DUET_UNDER_TSAN
  constexpr std::size_t kBytes = 4u << 20;
#else
  constexpr std::size_t kBytes = 32u << 20;
#endif
  const std::size_t bytes = up_to(kBytes);
  const std::vector<unsigned char> out(bytes, 0x33), scribble(bytes, 0x5a);
  std::uint64_t session = 0;
  for (const bool sender_stops : {true, false}) {
    SCOPED_TRACE(sender_stops ? "the sender stops" : "the receiver stops");
    expect_in_time([&](int) -> std::uint64_t {
      Pair pair = joined(++session);
      std::vector<unsigned char> back(out.size());
      Endpoint& goes_on = sender_stops ? *pair.b : *pair.a;
      const std::uint64_t deadline = in(200 * kMillisecond);
      const std::uint64_t late = in(kPatience);
      const auto received =
          pair.b->receive(pair.ba, back.data(), back.size(), sender_stops ? deadline : late);
      const auto sent = pair.a->send(pair.ab, out.data(), out.size(), sender_stops ? late : deadline);
      pair.a->poll(0);
      pair.b->poll(0);
      const auto mine = sender_stops ? received : sent;
      EXPECT_TRUE(turn({&goes_on}, [&] { return goes_on.ended(mine); }));
      const std::uint64_t ended_at = now_ns();
      // It may have been through already.
      EXPECT_TRUE(goes_on.status(mine) == DUET_TIMED_OUT || goes_on.status(mine) == DUET_OK)
          << goes_on.status(mine);
      if (goes_on.status(mine) == DUET_OK) return 0;
      // The buffer is ours again, even if the other side wakes up now.
      back = scribble;
      if (!sender_stops) return ended_at > deadline ? ended_at - deadline : 0;
      pair.idle(20 * kMillisecond);
      EXPECT_TRUE(back == scribble) << "written after its completion";
      return ended_at > deadline ? ended_at - deadline : 0;
    });
  }
}

TEST_P(Deadlines, OfManyOperationsAtOnce) {
  holds_to({"TIME-1", "OP-1", "OP-10"});
  std::uint64_t session = 0;
  expect_in_time([&](int) -> std::uint64_t {
    Pair pair = joined(++session);
    constexpr int kMost = 200;
    std::vector<unsigned char> bytes(kMost);
    std::vector<std::uint64_t> ids, deadlines;
    // As many as there is room for.
    for (int i = 0; i < kMost; ++i) {
      // Not in the order of their deadlines.
      const std::uint64_t deadline = in(150 * kMillisecond + (i * 37) % 100 * kMillisecond);
      const Status status = pair.a->try_post(false, pair.ab, &bytes[i], 1, deadline);
      if (status == DUET_AGAIN) break;
      EXPECT_EQ(status, DUET_OK);
      if (status != DUET_OK) return 0;
      ids.push_back(pair.a->last_id());
      deadlines.push_back(deadline);
    }
    EXPECT_GE(ids.size(), kRoom);
    std::uint64_t worst = 0;
    std::size_t left = ids.size();
    const std::uint64_t give_up = in(kPatience);
    std::vector<bool> seen(ids.size());
    while (left > 0 && now_ns() < give_up) {
      pair.a->poll(5 * kMillisecond);
      const std::uint64_t now = now_ns();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (seen[i] || !pair.a->ended(ids[i])) continue;
        seen[i] = true;
        --left;
        EXPECT_EQ(pair.a->status(ids[i]), DUET_TIMED_OUT);
        worst = std::max(worst, now > deadlines[i] ? now - deadlines[i] : 0);
      }
    }
    EXPECT_EQ(left, 0u);
    return worst;
  });
}

DUET_CONTRACT_SUITE(Deadlines);

}  // namespace
}  // namespace duet::contract
