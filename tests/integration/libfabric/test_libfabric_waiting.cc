/// How a context sleeps, and what wakes it: messages, deadlines, and not much else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <vector>

#include "integration/libfabric/plugin_driver.h"

namespace duet::driver {
namespace {

using testing::HasSubstr;

/// Sleeps on the descriptor as a host does, nested in another epoll set; how often it woke in that time.
unsigned wakeups(Endpoint& endpoint, std::uint64_t milliseconds) {
  std::int32_t descriptor = -1;
  EXPECT_EQ(plugin().wait_descriptor(endpoint.get(), &descriptor), DUET_OK);
  const int outer = epoll_create1(EPOLL_CLOEXEC);
  epoll_event interest{};
  interest.events = EPOLLIN;
  EXPECT_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, descriptor, &interest), 0);
  const std::uint64_t end = in_ms(milliseconds);
  unsigned rounds = 0;
  for (std::uint64_t now = now_ns(); now < end; now = now_ns(), ++rounds) {
    std::uint64_t sleep_ns = end - now;
    if (plugin().arm(endpoint.get(), &sleep_ns) == DUET_OK) {
      epoll_wait(outer, &interest, 1, static_cast<int>((sleep_ns + 999'999) / 1'000'000));
    }
    endpoint.poll(0);
  }
  close(outer);
  return rounds;
}

TEST(Libfabric, AnIdleContextSleeps) {
  Pair pair;
  char room = 0;
  ASSERT_EQ(pair.b.receive(pair.from_b, &room, 1, 1), DUET_OK);
  double before = cpu_seconds();
  pair.b.poll_until_finished(1, 1000);
  EXPECT_LT(cpu_seconds() - before, 0.01);
  before = cpu_seconds();
  EXPECT_LT(wakeups(pair.b, 1000), 5u);
  EXPECT_LT(cpu_seconds() - before, 0.01);
}

// libfabric does not like to sleep then. A tenth of a core: one that spins takes a whole one, and a sanitizer
// makes each of the thousand wakeups dearer.
TEST(Libfabric, AContextWithAMessageButNoReceiveSleeps) {
  Pair pair;
  std::vector<char> room(3);
  char word = 'x';
  for (std::uint64_t operation = 1; operation <= 3; ++operation) {
    ASSERT_EQ(pair.b.send(pair.from_b, &word, 1, operation), DUET_OK);
  }
  ASSERT_EQ(pair.a.receive(pair.from_a, room.data(), 1, 1), DUET_OK);
  poll_both(
      pair.a, pair.b, [] { return false; }, 20);
  EXPECT_EQ(pair.a.status_of(1), DUET_OK);
  double before = cpu_seconds();
  EXPECT_FALSE(pair.a.poll_until_finished(2, 1000));
  EXPECT_LT(cpu_seconds() - before, 0.1);
  before = cpu_seconds();
  EXPECT_LT(wakeups(pair.a, 1000), 1100u);
  EXPECT_LT(cpu_seconds() - before, 0.1);
  ASSERT_EQ(pair.a.receive(pair.from_a, room.data(), 1, 2), DUET_OK);
  ASSERT_EQ(pair.a.receive(pair.from_a, room.data(), 1, 3), DUET_OK);
  EXPECT_TRUE(pair.a.poll_until_finished(3, 2000));
  EXPECT_TRUE(pair.b.poll_until_finished(3, 2000));
  before = cpu_seconds();
  EXPECT_LT(wakeups(pair.a, 500), 5u);
  EXPECT_LT(cpu_seconds() - before, 0.01);
}

TEST(Libfabric, TheDescriptorWakesTheHost) {
  Pair pair;
  char room = 0;
  char word = 'x';
  std::int32_t descriptor = -1;
  ASSERT_EQ(plugin().wait_descriptor(pair.b.get(), &descriptor), DUET_OK);
  for (std::uint64_t operation = 1; operation <= 50; ++operation) {
    ASSERT_EQ(pair.b.receive(pair.from_b, &room, 1, operation), DUET_OK);
    std::uint64_t sleep_ns = 1'000'000'000;
    while (plugin().arm(pair.b.get(), &sleep_ns) == DUET_AGAIN) {
      pair.b.poll(0);
    }
    ASSERT_EQ(pair.a.send(pair.from_a, &word, 1, operation), DUET_OK);
    pollfd interest{descriptor, POLLIN, 0};
    ASSERT_EQ(poll(&interest, 1, 1000), 1);
    EXPECT_TRUE(pair.b.poll_until_finished(operation, 2000));
    EXPECT_TRUE(pair.a.poll_until_finished(operation, 2000));
  }
}

TEST(Libfabric, ArmTellsTheNextDeadline) {
  Pair pair;
  char room = 0;
  ASSERT_EQ(pair.b.receive(pair.from_b, &room, 1, 1, in_ms(1000)), DUET_OK);
  std::uint64_t sleep_ns = 10'000'000'000;
  pair.b.poll(0);
  while (plugin().arm(pair.b.get(), &sleep_ns) == DUET_AGAIN) {
    pair.b.poll(0);
  }
  EXPECT_LE(sleep_ns, 1'000'000'000u);
  EXPECT_GT(sleep_ns, 1'000'000u);
  EXPECT_TRUE(pair.b.poll_until_finished(1, 5000));
  EXPECT_EQ(pair.b.status_of(1), DUET_TIMED_OUT);
}

TEST(Libfabric, AnAcceptThatNobodyAnswersTimesOut) {
  Endpoint a;
  duet_connection* connection = a.accept(1, in_ms(100));
  char room = 0;
  ASSERT_EQ(a.receive(connection, &room, 1, 1), DUET_OK);
  ASSERT_TRUE(a.poll_until_finished(1, 5000));
  EXPECT_EQ(a.status_of(1), DUET_TIMED_OUT);
  EXPECT_EQ(state_of(connection), DUET_CONNECTION_FAILED);
  EXPECT_THAT(error_of(connection).text, HasSubstr("nobody connected"));
}

}  // namespace
}  // namespace duet::driver
