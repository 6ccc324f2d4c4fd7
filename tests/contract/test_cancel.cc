#include <algorithm>

#include "contract/contract_test.h"

namespace duet::contract {
namespace {

class Cancel : public ContractTest {};

TEST_P(Cancel, OperationsEndOnceAndGiveTheirBufferBack) {
  holds_to({"CANCEL-1", "OP-1", "OP-3"});
  Pair pair = joined();
  std::vector<unsigned char> mine(500, 0x11);
  const auto received = pair.b->receive(pair.ba, mine.data(), mine.size());
  const Status status = table_.cancel(pair.ba, received);
  ASSERT_TRUE(status == DUET_OK || status == DUET_AGAIN) << status;
  if (status == DUET_OK) {
    ASSERT_TRUE(pair.turn([&] { return pair.b->ended(received); }));
    EXPECT_EQ(pair.b->status(received), DUET_CANCELLED);
    std::fill(mine.begin(), mine.end(), 0x5a);
    const auto out = pattern(500, 1);
    pair.a->send(pair.ab, out.data(), 500, in(100 * kMillisecond));
    ASSERT_TRUE(pair.finish());
    EXPECT_TRUE(std::all_of(mine.begin(), mine.end(), [](unsigned char c) { return c == 0x5a; }));
  }
  pair.b->close(pair.ba);
  ASSERT_TRUE(pair.turn([&] { return pair.b->in_flight() == 0; }));
  pair.idle(20 * kMillisecond);  // a second completion would be noticed
}

TEST_P(Cancel, WhatIsNotInFlightIsMisuse) {
  holds_to({"CANCEL-2"});
  Pair pair = joined();
  EXPECT_EQ(Status(table_.cancel(pair.ab, 12345)), DUET_MISUSE);
  int out = 1, back = 0;
  const auto sent = pair.a->send(pair.ab, &out, sizeof(out));
  const auto received = pair.b->receive(pair.ba, &back, sizeof(back));
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(Status(table_.cancel(pair.ab, sent)), DUET_MISUSE);
  EXPECT_EQ(Status(table_.cancel(pair.ba, received)), DUET_MISUSE);
}

TEST_P(Cancel, WhatHasEndedAndWasNotPolledStaysAsItIs) {
  holds_to({"CANCEL-1"});
  Pair pair = joined();
  char byte = 0;
  const auto received = pair.a->receive(pair.ab, &byte, 1);
  if (table_.cancel(pair.ab, received) != DUET_OK) GTEST_SKIP() << "this transport does not cancel receives";
  EXPECT_EQ(Status(table_.cancel(pair.ab, received)), DUET_OK) << "until poll() returns it, it is in flight";
  ASSERT_TRUE(pair.turn([&] { return pair.a->ended(received); }));
  EXPECT_EQ(pair.a->status(received), DUET_CANCELLED);
  pair.idle(20 * kMillisecond);  // a second completion would be noticed
}

TEST_P(Cancel, OperationsOfPendingConnections) {
  holds_to({"CANCEL-1", "CONN-2"});
  const auto a = endpoint(), b = endpoint();
  duet_connection* const ab = a->connect(*b, 1);
  char byte = 1;
  for (const bool send : {true, false}) {
    const auto id = send ? a->send(ab, &byte, 1) : a->receive(ab, &byte, 1);
    const Status status = table_.cancel(ab, id);
    ASSERT_TRUE(status == DUET_OK || status == DUET_AGAIN) << status;
    if (status == DUET_OK) {
      ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->ended(id); }));
      EXPECT_EQ(a->status(id), DUET_CANCELLED);
    }
  }
  a->close(ab);
  EXPECT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() == 0; }));
}

TEST_P(Cancel, ALargeMessageAtAnyMoment) {
  holds_to({"CANCEL-1", "OP-1", "OP-3"});
  const auto out = pattern(up_to(8u << 20), 1);
  std::uint64_t session = 0;
  for (const int turns : {0, 1, 3, 10}) {
    for (const bool cancel_send : {true, false}) {
      SCOPED_TRACE(::testing::Message() << turns << " polls, the " << (cancel_send ? "send" : "receive"));
      Pair pair = joined(++session);
      std::vector<unsigned char> back(out.size());
      const auto sent = pair.a->send(pair.ab, out.data(), out.size(), in(5 * kSecond));
      const auto received = pair.b->receive(pair.ba, back.data(), back.size(), in(5 * kSecond));
      for (int i = 0; i < turns; ++i) {
        pair.a->poll(0);
        pair.b->poll(0);
      }
      Endpoint& mine = cancel_send ? *pair.a : *pair.b;
      duet_connection* const connection = cancel_send ? pair.ab : pair.ba;
      const auto id = cancel_send ? sent : received;
      const bool had_ended = mine.ended(id);
      const Status status = table_.cancel(connection, id);
      if (had_ended) {
        EXPECT_EQ(status, DUET_MISUSE);
        continue;
      }
      ASSERT_TRUE(status == DUET_OK || status == DUET_AGAIN) << status;
      EXPECT_EQ(mine.state(connection), DUET_CONNECTION_READY) << "a cancel must not end the connection";
      if (status == DUET_OK) {
        ASSERT_TRUE(pair.turn([&] { return mine.ended(id); }, kSecond)) << "the completion did not follow";
        EXPECT_TRUE(mine.status(id) == DUET_CANCELLED || mine.status(id) == DUET_OK) << mine.status(id);
        if (!cancel_send && mine.status(id) == DUET_CANCELLED) std::fill(back.begin(), back.end(), 0x5a);
        pair.a->close(pair.ab);
        pair.b->close(pair.ba);
        ASSERT_TRUE(pair.finish());
        pair.idle(5 * kMillisecond);
        if (!cancel_send && mine.status(id) == DUET_CANCELLED) {
          EXPECT_TRUE(std::all_of(back.begin(), back.end(), [](unsigned char c) { return c == 0x5a; }))
              << "written after its completion";
        }
      } else {
        ASSERT_TRUE(pair.finish());
        EXPECT_EQ(pair.a->status(sent), DUET_OK);
        EXPECT_EQ(pair.b->status(received), DUET_OK);
        EXPECT_TRUE(back == out) << "the data differ";
      }
    }
  }
}

TEST_P(Cancel, OneOfManyLeavesTheOthersInFlight) {
  holds_to({"CANCEL-1", "OP-1"});
  Pair pair = joined();
  std::vector<unsigned char> bytes(5);
  std::vector<std::uint64_t> ids;
  for (unsigned char& byte : bytes)
    ids.push_back(pair.a->receive(pair.ab, &byte, 1));
  const Status status = table_.cancel(pair.ab, ids[4]);
  ASSERT_TRUE(status == DUET_OK || status == DUET_AGAIN) << status;
  pair.idle(30 * kMillisecond);
  for (int i = 0; i < 4; ++i)
    EXPECT_FALSE(pair.a->ended(ids[i])) << i;
  EXPECT_EQ(pair.a->ended(ids[4]), status == DUET_OK);
  pair.a->close(pair.ab);
  ASSERT_TRUE(pair.turn([&] { return pair.a->in_flight() == 0; }));
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(pair.a->status(ids[i]), DUET_CANCELLED);
}

DUET_CONTRACT_SUITE(Cancel);

}  // namespace
}  // namespace duet::contract
