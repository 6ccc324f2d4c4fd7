#include <poll.h>

#include <atomic>
#include <thread>

#include "contract/contract_test.h"
#include "contract/resources.h"

namespace duet::contract {
namespace {

class Waiting : public ContractTest {
 protected:
  /// Sleeps on the descriptor as the ABI asks, and polls, until `done`. Returns how often it woke up.
  int sleep_until(Endpoint& endpoint, const std::function<bool()>& done) {
    std::int32_t descriptor = -1;
    EXPECT_EQ(table_.wait_descriptor(endpoint.get(), &descriptor), DUET_OK);
    EXPECT_GE(descriptor, 0);
    const std::uint64_t give_up = in(kPatience);
    int wakes = 0;
    while (!done() && now_ns() < give_up) {
      std::uint64_t timeout = 5 * kSecond;
      if (table_.arm(endpoint.get(), &timeout) == DUET_OK) {
        EXPECT_LE(timeout, 5 * kSecond) << "WAIT-2: arm() never raises it";
        pollfd wait{.fd = descriptor, .events = POLLIN, .revents = 0};
        ::poll(&wait, 1, static_cast<int>((timeout + kMillisecond - 1) / kMillisecond));
      }
      ++wakes;
      endpoint.poll(0);
    }
    EXPECT_TRUE(done());
    return wakes;
  }
};

TEST_P(Waiting, PollSleepsInsteadOfSpinning) {
  holds_to({"POLL-1"});
  Pair pair = joined();
  char byte = 0;
  pair.a->receive(pair.ab, &byte, 1, in(kPatience));
  pair.idle(50 * kMillisecond);
  // Several attempts: other programs' load does not count as ours, but a sanitizer's own thread may.
  std::uint64_t best = UINT64_MAX;
  for (int attempt = 0; attempt < 3 && best > 20 * kMillisecond; ++attempt) {
    const std::uint64_t before = processor_time_ns();
    const std::uint64_t end = in(300 * kMillisecond);
    for (std::uint64_t now = now_ns(); now < end; now = now_ns())
      pair.a->poll(end - now);
    best = std::min<std::uint64_t>(best, processor_time_ns() - before);
  }
  EXPECT_LT(best, 20 * kMillisecond) << "nanoseconds of processor time for a wait of 300 ms";
}

TEST_P(Waiting, PollDoesNotSleepLongerThanItMay) {
  holds_to({"POLL-1"});
  Pair pair = joined();
  std::uint64_t best = UINT64_MAX;
  for (int attempt = 0; attempt < 4 && best > 50 * kMillisecond; ++attempt) {
    const std::uint64_t start = now_ns();
    pair.a->poll(0);
    pair.a->poll(5 * kMillisecond);
    best = std::min(best, now_ns() - start);
  }
  EXPECT_LE(best, 50 * kMillisecond);
}

TEST_P(Waiting, PollWakesUpForAMessageFromAnotherThread) {
  holds_to({"POLL-2"});
  Pair pair = joined();
  char out = 7, back = 0;
  const auto received = pair.a->receive(pair.ab, &back, 1);
  std::uint64_t sent_at = 0;
  std::atomic<bool> over{false};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    sent_at = now_ns();
    pair.b->send(pair.ba, &out, 1);
    while (!over)
      pair.b->poll(kMillisecond);
  });
  const std::uint64_t give_up = in(kPatience);
  while (!pair.a->ended(received) && now_ns() < give_up)
    pair.a->poll(10 * kSecond);
  const std::uint64_t woke_at = now_ns();
  over = true;
  other.join();
  EXPECT_EQ(pair.a->status(received), DUET_OK);
  EXPECT_EQ(back, 7);
  EXPECT_LT(woke_at - sent_at, 2 * kSecond);
}

TEST_P(Waiting, PollWakesUpForAConnectionThatBecomesReady) {
  holds_to({"POLL-2"});
  const auto a = endpoint(), b = endpoint();
  duet_connection* const ab = a->connect(*b, 1);
  std::atomic<bool> over{false};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    b->accept(1);
    while (!over)
      b->poll(kMillisecond);
  });
  const std::uint64_t start = now_ns();
  while (a->state(ab) == DUET_CONNECTION_PENDING && now_ns() - start < kPatience)
    a->poll(10 * kSecond);
  const std::uint64_t took = now_ns() - start;
  over = true;
  other.join();
  EXPECT_EQ(a->state(ab), DUET_CONNECTION_READY);
  EXPECT_LT(took, 3 * kSecond);
}

TEST_P(Waiting, PollWakesUpForAConnectionThatFails) {
  holds_to({"POLL-2", "END-2", "CONN-5"});
  Pair pair = joined();
  std::atomic<bool> over{false};
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    pair.b->close(pair.ba);
    while (!over)
      pair.b->poll(kMillisecond);
  });
  // Its receive ends with it, or at its deadline if the transport does not see the close.
  char byte = 0;
  const auto received = pair.a->receive(pair.ab, &byte, 1, in(2 * kSecond));
  const std::uint64_t start = now_ns();
  while (!pair.a->ended(received) && now_ns() - start < kPatience)
    pair.a->poll(10 * kSecond);
  const std::uint64_t took = now_ns() - start;
  over = true;
  other.join();
  EXPECT_TRUE(is_loss(pair.a->status(received))) << pair.a->status(received);
  EXPECT_LT(took, 4 * kSecond);
}

TEST_P(Waiting, PollHandsOutCompletionsAsThereIsRoomForThem) {
  holds_to({"POLL-3"});
  Pair pair = joined();
  std::vector<unsigned char> bytes(7);
  for (unsigned char& byte : bytes)
    pair.a->receive(pair.ab, &byte, 1);
  pair.a->close(pair.ab);
  const std::uint64_t give_up = in(kPatience);
  std::size_t most = 0;
  while (pair.a->in_flight() > 0 && now_ns() < give_up)
    most = std::max(most, pair.a->poll(kMillisecond, 2));
  EXPECT_EQ(pair.a->in_flight(), 0u);
  EXPECT_LE(most, 2u);
}

TEST_P(Waiting, TheDescriptorWakesASleeperForMessages) {
  holds_to({"WAIT-1", "WAIT-3"});
  if (table_.wait_descriptor == nullptr) GTEST_SKIP() << "this transport has no descriptor: poll() sleeps";
  Pair pair = joined();
  std::atomic<bool> over{false};
  constexpr int kRounds = 20;
  // The peer answers each message, always from asleep.
  std::thread other([&] {
    for (int i = 0; i < kRounds; ++i) {
      int got = -1;
      const auto received = pair.b->receive(pair.ba, &got, sizeof(got), in(kPatience));
      sleep_until(*pair.b, [&] { return pair.b->ended(received); });
      const auto sent = pair.b->send(pair.ba, &got, sizeof(got), in(kPatience));
      sleep_until(*pair.b, [&] { return pair.b->ended(sent); });
    }
    while (!over)
      pair.b->poll(kMillisecond);
  });
  const std::uint64_t start = now_ns();
  int wakes = 0;
  for (int i = 0; i < kRounds; ++i) {
    int back = -1;
    const auto sent = pair.a->send(pair.ab, &i, sizeof(i), in(kPatience));
    const auto received = pair.a->receive(pair.ab, &back, sizeof(back), in(kPatience));
    wakes += sleep_until(*pair.a, [&] { return pair.a->ended(received) && pair.a->ended(sent); });
    EXPECT_EQ(back, i);
  }
  const std::uint64_t took = now_ns() - start;
  over = true;
  other.join();
  EXPECT_LT(took, 4 * kSecond) << "a wake-up was lost: somebody slept until its timeout";
  EXPECT_LT(wakes, kRounds * 50) << "the descriptor is readable when there is nothing to do";
}

TEST_P(Waiting, ArmLowersTheTimeoutToTheNextDeadline) {
  holds_to({"WAIT-2", "TIME-1"});
  if (table_.wait_descriptor == nullptr) GTEST_SKIP() << "this transport has no descriptor: poll() sleeps";
  std::uint64_t best = UINT64_MAX;
  for (int attempt = 0; attempt < 4 && best > 100 * kMillisecond; ++attempt) {
    Pair pair = joined(1 + attempt);
    char byte = 0;
    const std::uint64_t deadline = in(100 * kMillisecond);
    const auto received = pair.a->receive(pair.ab, &byte, 1, deadline);
    sleep_until(*pair.a, [&] { return pair.a->ended(received); });
    best = std::min(best, now_ns() - deadline);
    EXPECT_EQ(pair.a->status(received), DUET_TIMED_OUT);
  }
  EXPECT_LE(best, 100 * kMillisecond);
}

TEST_P(Waiting, ArmLowersTheTimeoutToTheDeadlineOfAConnection) {
  holds_to({"WAIT-2", "TIME-2"});
  if (table_.wait_descriptor == nullptr) GTEST_SKIP() << "this transport has no descriptor: poll() sleeps";
  for (const bool accept : {true, false}) {
    SCOPED_TRACE(accept ? "accept" : "connect");
    std::uint64_t best = UINT64_MAX;
    for (int attempt = 0; attempt < 4 && best > 100 * kMillisecond; ++attempt) {
      const auto a = endpoint(), b = endpoint();
      const std::uint64_t deadline = in(100 * kMillisecond);
      duet_connection* const connection = accept ? a->accept(1, deadline) : a->connect(*b, 1, deadline);
      sleep_until(*a, [&] { return a->state(connection) == DUET_CONNECTION_FAILED; });
      best = std::min(best, now_ns() - deadline);
    }
    EXPECT_LE(best, 100 * kMillisecond);
  }
}

TEST_P(Waiting, ADescriptorStaysQuietBehindAMessageThatNobodyTakes) {
  holds_to({"WAIT-3"});
  if (table_.wait_descriptor == nullptr) GTEST_SKIP() << "this transport has no descriptor: poll() sleeps";
  for (const bool peer_closes : {false, true}) {
    SCOPED_TRACE(peer_closes ? "the peer closes behind it" : "the peer stays");
    Pair pair = joined(peer_closes ? 2 : 1);
    const int out = 1;
    pair.b->send(pair.ba, &out, sizeof(out), in(kPatience));
    pair.idle(20 * kMillisecond);
    if (peer_closes) pair.b->close(pair.ba);
    pair.idle(50 * kMillisecond);
    std::int32_t descriptor = -1;
    ASSERT_EQ(table_.wait_descriptor(pair.a->get(), &descriptor), DUET_OK);
    // libfabric's own wait reports such a message again and again, and its plugin sleeps a little by itself:
    // processor time is what counts.
    std::uint64_t best = UINT64_MAX;
    for (int attempt = 0; attempt < 3 && best > 60 * kMillisecond; ++attempt) {
      const std::uint64_t before = processor_time_ns();
      const std::uint64_t end = in(300 * kMillisecond);
      for (std::uint64_t now = now_ns(); now < end; now = now_ns()) {
        std::uint64_t timeout = end - now;
        if (table_.arm(pair.a->get(), &timeout) == DUET_OK) {
          pollfd wait{.fd = descriptor, .events = POLLIN, .revents = 0};
          ::poll(&wait, 1, static_cast<int>(timeout / kMillisecond) + 1);
        }
        pair.a->poll(0);
      }
      best = std::min<std::uint64_t>(best, processor_time_ns() - before);
    }
    EXPECT_LT(best, 60 * kMillisecond) << "nanoseconds of processor time for a wait of 300 ms";
  }
}

TEST_P(Waiting, AQuietDescriptorStaysQuiet) {
  holds_to({"WAIT-3"});
  if (table_.wait_descriptor == nullptr) GTEST_SKIP() << "this transport has no descriptor: poll() sleeps";
  Pair pair = joined();
  char byte = 0;
  pair.a->receive(pair.ab, &byte, 1, in(kPatience));
  pair.idle(50 * kMillisecond);
  std::int32_t descriptor = -1;
  ASSERT_EQ(table_.wait_descriptor(pair.a->get(), &descriptor), DUET_OK);
  int wakes = 0;
  const std::uint64_t end = in(300 * kMillisecond);
  for (std::uint64_t now = now_ns(); now < end; now = now_ns(), ++wakes) {
    std::uint64_t timeout = end - now;
    if (table_.arm(pair.a->get(), &timeout) == DUET_OK) {
      pollfd wait{.fd = descriptor, .events = POLLIN, .revents = 0};
      ::poll(&wait, 1, static_cast<int>(timeout / kMillisecond) + 1);
    }
    pair.a->poll(0);
  }
  EXPECT_LT(wakes, 40) << "wake-ups within 300 ms with nothing to do";
}

DUET_CONTRACT_SUITE(Waiting);

}  // namespace
}  // namespace duet::contract
