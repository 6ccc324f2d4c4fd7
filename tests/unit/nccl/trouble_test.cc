/// Hangs, errors and slow aborts, in every phase.
#include <algorithm>

#include "nccl_fixture.h"
#include "transport/services.h"

namespace duet::nccl {
namespace {

using ::testing::HasSubstr;

class Trouble : public NcclFixture, public ::testing::WithParamInterface<bool> {
 protected:
  bool same_gpu() const { return GetParam(); }
};

std::int64_t counted(const char* name) {
  const auto counters = transport::counters();
  const auto found = counters.find(name);
  return found == counters.end() ? 0 : static_cast<std::int64_t>(found->second);
}

TEST_P(Trouble, ACommunicatorThatNeverOpensFailsAtTheDeadline) {
  fake_nccl_set("init", "hang");
  auto two = pair(same_gpu());
  const std::uint64_t deadline = in(200 * kMillisecond);
  duet_connection* const ab = two.a->connect(two.b->address(), 1, deadline);
  duet_connection* const ba = two.b->accept(1, deadline);
  char byte = 0;
  const auto waiting = two.a->receive(ab, &byte, 1, in(kPatience));
  ASSERT_TRUE(two.turn([&] {
    return two.a->state(ab) == DUET_CONNECTION_FAILED && two.b->state(ba) == DUET_CONNECTION_FAILED &&
           two.a->ended(waiting);
  }));
  EXPECT_GE(now_ns(), deadline);
  EXPECT_LE(now_ns(), deadline + 2 * kSecond);
  // Whoever notices first tells the other.
  duet_status at_a = DUET_OK, at_b = DUET_OK;
  const std::string texts = error_of(*two.a, ab, &at_a) + error_of(*two.b, ba, &at_b);
  EXPECT_TRUE(at_a == DUET_TIMED_OUT || at_b == DUET_TIMED_OUT);
  EXPECT_THAT(texts, HasSubstr("communicator did not come about"));
  EXPECT_TRUE(two.a->status(waiting) == DUET_TIMED_OUT || two.a->status(waiting) == DUET_PEER_LOST);
}

TEST_P(Trouble, ACommunicatorThatCannotOpenSaysWhy) {
  fake_nccl_set("init", "fail");
  auto two = pair(same_gpu());
  duet_connection* const ab = two.a->connect(two.b->address(), 1);
  duet_connection* const ba = two.b->accept(1);
  ASSERT_TRUE(two.turn([&] {
    return two.a->state(ab) == DUET_CONNECTION_FAILED && two.b->state(ba) == DUET_CONNECTION_FAILED;
  }));
  EXPECT_THAT(error_of(*two.a, ab) + error_of(*two.b, ba), HasSubstr("as the test asked for"));
  fake_nccl_set("init", "ok");
  join(two, 2);
  EXPECT_TRUE(exchange(two, two.ab, two.ba)) << "the context has survived";
}

/// What hangs or fails under a group that runs, and what its operations end with.
struct Failing {
  const char* key;
  const char* value;
  std::vector<duet_status> statuses;
  const char* text;
};

TEST_P(Trouble, AGroupThatFailsEndsItsOperationsAndNamesThePeer) {
  const std::vector<Failing> cases{
      {"group", "hang", {DUET_TIMED_OUT, DUET_PEER_LOST}, "deadline"},
      {"group", "remote", {DUET_PEER_LOST}, "as the test asked for"},
      {"group", "device", {DUET_DEVICE_ERROR, DUET_PEER_LOST}, "CUDA says"},
      {"enqueue", "fail", {DUET_DEVICE_ERROR, DUET_PEER_LOST}, "refused"},
  };
  std::uint64_t session = 0;
  for (const Failing& failing : cases) {
    SCOPED_TRACE(std::string(failing.key) + "=" + failing.value);
    fake_nccl_set("group", "ok");
    fake_nccl_set("enqueue", "ok");
    auto two = pair(same_gpu());
    join(two, ++session);
    fake_nccl_set(failing.key, failing.value);
    std::vector<unsigned char> out(1000, 1), back(1000);
    const std::uint64_t deadline = in(250 * kMillisecond);
    const auto sent = two.a->send(two.ab, out.data(), out.size(), deadline);
    const auto received = two.b->receive(two.ba, back.data(), back.size(), deadline);
    // Behind it, and not launched: it ends too, with the connection.
    const auto behind = two.b->receive(two.ba, back.data(), back.size(), in(kPatience));
    ASSERT_TRUE(two.turn([&] { return two.a->in_flight() + two.b->in_flight() == 0; }));
    EXPECT_LE(now_ns(), deadline + 2 * kSecond);
    EXPECT_THAT(failing.statuses, ::testing::Contains(two.a->status(sent)));
    EXPECT_THAT(failing.statuses, ::testing::Contains(two.b->status(received)));
    EXPECT_THAT(failing.statuses, ::testing::Contains(two.b->status(behind)));
    const std::string texts = error_of(*two.a, two.ab) + " / " + error_of(*two.b, two.ba);
    EXPECT_THAT(texts, HasSubstr(failing.text));
    EXPECT_THAT(texts, HasSubstr("rank 7"));
    two.a->close(two.ab);
    two.b->close(two.ba);
  }
}

TEST_P(Trouble, AHangOfOneConnectionLeavesTheOthersAlone) {
  auto two = pair(same_gpu());
  join(two, 1);
  duet_connection *const hung_a = two.ab, *const hung_b = two.ba;
  join(two, 2);
  ASSERT_TRUE(exchange(two, two.ab, two.ba));
  fake_nccl_set("group", "hang");
  std::vector<unsigned char> out(100), back(100);
  const auto sent = two.a->send(hung_a, out.data(), 100, in(kSecond));
  const auto received = two.b->receive(hung_b, back.data(), 100, in(kSecond));
  two.turn([] { return false; }, 50 * kMillisecond);
  fake_nccl_set("group", "ok");  // what hangs hangs; the others' groups run
  const auto out2 = contract::pattern(100, 1);
  std::vector<unsigned char> back2(100);
  two.a->send(two.ab, out2.data(), 100, in(kPatience));
  const auto second = two.b->receive(two.ba, back2.data(), 100, in(kPatience));
  ASSERT_TRUE(two.turn([&] { return two.b->ended(second); }));
  EXPECT_EQ(back2, out2);
  EXPECT_FALSE(two.b->ended(received)) << "it was in time, and hangs";
  ASSERT_TRUE(two.turn([&] { return two.a->ended(sent) && two.b->ended(received); }));
}

TEST_P(Trouble, ASlowAbortBlocksNobodyAndKeepsTheMemoryUntilItIsOver) {
  fake_nccl_set("abort_ms", "400");
  fake_nccl_set("scribble",
                "1");  // under AddressSanitizer, a buffer that was given back too early is an error
  auto two = pair(same_gpu());
  join(two, 1);
  fake_nccl_set("group", "hang");
  std::vector<unsigned char> out(100'000), back(100'000);
  const std::uint64_t deadline = in(100 * kMillisecond);
  const auto sent = two.a->send(two.ab, out.data(), out.size(), deadline);
  const auto received = two.b->receive(two.ba, back.data(), back.size(), deadline);
  std::uint64_t longest = 0;
  while (two.a->in_flight() + two.b->in_flight() > 0 && now_ns() < deadline + 5 * kSecond) {
    for (Endpoint* end : {two.a.get(), two.b.get()}) {
      const std::int64_t aborts = fake_nccl_count("aborts");
      const std::uint64_t start = now_ns();
      end->poll(0);
      longest = std::max(longest, now_ns() - start);
      if (fake_nccl_count("aborts") == 0 && aborts == 0) {
        EXPECT_FALSE(two.a->ended(sent) || two.b->ended(received)) << "the abort is still at it";
      }
    }
  }
  EXPECT_LT(longest, 200 * kMillisecond) << "a call waited for the abort";
  EXPECT_NE(two.a->status(sent), DUET_OK);
  EXPECT_NE(two.b->status(received), DUET_OK);
  EXPECT_GE(now_ns(), deadline + 400 * kMillisecond);
}

TEST_P(Trouble, ClosingAContextWaitsForAbortsThatHaveItsMemory) {
  auto two = pair(same_gpu());
  join(two, 1);
  fake_nccl_set("abort_ms", "300");
  fake_nccl_set("scribble", "1");
  fake_nccl_set("group", "hang");
  std::vector<unsigned char> out(100'000), back(100'000);
  two.a->send(two.ab, out.data(), out.size());
  const auto received = two.b->receive(two.ba, back.data(), back.size(), in(kPatience));
  ASSERT_TRUE(two.turn([] { return fake_nccl_count("events") > 0; }));
  two.turn([] { return false; }, 20 * kMillisecond);
  const std::uint64_t start = now_ns();
  two.a.reset();
  EXPECT_GE(now_ns() - start, 250 * kMillisecond);
  ASSERT_TRUE(two.turn([&] { return two.b->ended(received); }));
  EXPECT_EQ(two.b->status(received), DUET_PEER_LOST);
}

TEST_P(Trouble, ClosingAContextDoesNotWaitForAbortsOfIdleCommunicators) {
  auto two = pair(same_gpu());
  join(two, 1);
  ASSERT_TRUE(exchange(two, two.ab, two.ba));
  fake_nccl_set("abort_ms", "600");
  const std::uint64_t start = now_ns();
  two.a.reset();
  two.b.reset();
  EXPECT_LT(now_ns() - start, 400 * kMillisecond);
}

TEST_P(Trouble, ClosingAContextEndsEvenWhenAnAbortDoesNot) {
  auto two = pair(same_gpu(), {{"abort_timeout", "0.3"}});
  join(two, 1);
  const auto abandoned = counted("nccl_abandoned_aborts");
  fake_nccl_set("group", "hang");
  std::vector<unsigned char> out(1000), back(1000);
  two.a->send(two.ab, out.data(), out.size());
  two.b->receive(two.ba, back.data(), back.size());
  ASSERT_TRUE(two.turn([] { return fake_nccl_count("events") > 0; }));
  two.turn([] { return false; }, 20 * kMillisecond);
  fake_nccl_set("abort_ms", "1500");
  const std::uint64_t start = now_ns();
  two.a.reset();
  EXPECT_GE(now_ns() - start, 250 * kMillisecond);
  EXPECT_LT(now_ns() - start, 1200 * kMillisecond);
  EXPECT_GT(counted("nccl_abandoned_aborts"), abandoned);
  ASSERT_TRUE(two.turn([&] { return two.b->in_flight() == 0; })) << "b waits as long as it takes";
}

TEST_P(Trouble, APeerThatDiesUnderAGroupIsNoticedAtOnce) {
  auto two = pair(same_gpu());
  join(two, 1);
  fake_nccl_set("group", "hang");
  std::vector<unsigned char> out(1000), back(1000);
  two.a->send(two.ab, out.data(), out.size(), in(kPatience));
  const auto received = two.b->receive(two.ba, back.data(), back.size(), in(kPatience));
  two.turn([] { return false; }, 50 * kMillisecond);
  const std::uint64_t start = now_ns();
  two.a.reset();
  ASSERT_TRUE(two.turn([&] { return two.b->ended(received); }));
  EXPECT_LT(now_ns() - start, 3 * kSecond) << "long before its deadline";
  EXPECT_EQ(two.b->status(received), DUET_PEER_LOST);
  EXPECT_THAT(error_of(*two.b, two.ba), HasSubstr("rank 7"));
}

TEST_P(Trouble, EveryoneClosesInAnyState) {
  fake_nccl_set("abort_ms", "20");
  fake_nccl_set("scribble", "1");
  std::uint64_t session = 0;
  for (const char* init : {"ok", "slow", "hang"}) {
    for (const char* group : {"ok", "slow", "hang"}) {
      for (const int turns : {0, 1, 3, 10, 40}) {
        SCOPED_TRACE(std::string(init) + ", " + group + ", " + std::to_string(turns));
        fake_nccl_set("init", init);
        fake_nccl_set("group", group);
        auto two = pair(same_gpu());
        duet_connection* const ab = two.a->connect(two.b->address(), ++session);
        duet_connection* const ba = two.b->accept(session);
        std::vector<unsigned char> out(5000), back(5000), home(5000);
        two.a->send(ab, out.data(), out.size());
        two.a->receive(ab, home.data(), home.size());
        two.b->receive(ba, back.data(), back.size());
        two.b->send(ba, out.data(), out.size());
        for (int turn = 0; turn < turns; ++turn) {
          two.a->poll(0);
          two.b->poll(kMillisecond / 2);
        }
        switch (turns % 3) {
          case 0:
            two.a->close(ab);
            two.b->close(ba);
            ASSERT_TRUE(two.turn([&] { return two.a->in_flight() + two.b->in_flight() == 0; }));
            break;
          case 1:
            two.a->close(ab);
            ASSERT_TRUE(two.turn([&] { return two.a->in_flight() + two.b->in_flight() == 0; }));
            break;
          default:
            break;  // the contexts close with everything in flight
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, Trouble, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "OneGpu" : "TwoGpus"; });

}  // namespace
}  // namespace duet::nccl
