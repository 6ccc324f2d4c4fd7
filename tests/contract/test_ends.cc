#include <algorithm>
#include <functional>

#include "contract/contract_test.h"
#include "contract/resources.h"

namespace duet::contract {
namespace {

using ::testing::HasSubstr;

class Ends : public ContractTest {};

TEST_P(Ends, ClosingAConnectionCancelsWhatIsInFlightExactlyOnce) {
  holds_to({"END-1", "OP-1", "OP-3"});
  Pair pair = joined();
  std::vector<std::vector<unsigned char>> buffers(8, std::vector<unsigned char>(300'000, 0x11));
  std::vector<std::uint64_t> receives, sends, theirs;
  for (int i = 0; i < 4; ++i)
    receives.push_back(pair.a->receive(pair.ab, buffers[i].data(), 300'000));
  for (int i = 4; i < 6; ++i)
    sends.push_back(pair.a->send(pair.ab, buffers[i].data(), 300'000));
  // b waits for messages of which a sent too few.
  std::vector<std::vector<unsigned char>> at_b(4, std::vector<unsigned char>(300'000));
  for (auto& buffer : at_b)
    theirs.push_back(pair.b->receive(pair.ba, buffer.data(), 300'000, in(2 * kSecond)));
  pair.a->close(pair.ab);
  ASSERT_TRUE(pair.finish());
  for (const auto id : receives)
    EXPECT_EQ(pair.a->status(id), DUET_CANCELLED);
  for (const auto id : sends) {
    EXPECT_TRUE(pair.a->status(id) == DUET_CANCELLED || pair.a->status(id) == DUET_OK) << pair.a->status(id);
  }
  EXPECT_TRUE(is_loss(pair.b->status(theirs[2]))) << pair.b->status(theirs[2]);
  EXPECT_TRUE(is_loss(pair.b->status(theirs[3]))) << pair.b->status(theirs[3]);
  // All memory is ours again: nobody may write to it, and nothing completes twice.
  for (auto& buffer : buffers)
    std::fill(buffer.begin(), buffer.end(), 0x5a);
  pair.idle(50 * kMillisecond);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(std::all_of(buffers[i].begin(), buffers[i].end(), [](unsigned char c) { return c == 0x5a; }));
  }
  pair.b->close(pair.ba);
  pair.idle(20 * kMillisecond);
}

TEST_P(Ends, ClosingInTheMiddleOfALargeMessageIsClean) {
  holds_to({"END-1", "OP-1", "OP-3"});
  std::uint64_t session = 0;
  const auto out = pattern(up_to(8u << 20), 1);
  const std::vector<unsigned char> scribble(out.size(), 0x5a);
  for (const int turns : {0, 1, 2, 5, 10, 30}) {
    for (const bool sender_closes : {true, false}) {
      SCOPED_TRACE(::testing::Message()
                   << turns << " polls, " << (sender_closes ? "sender" : "receiver") << " closes");
      Pair pair = joined(++session);
      std::vector<unsigned char> back(out.size());
      const auto sent = pair.a->send(pair.ab, out.data(), out.size(), in(2 * kSecond));
      const auto received = pair.b->receive(pair.ba, back.data(), back.size(), in(2 * kSecond));
      for (int i = 0; i < turns; ++i) {
        pair.a->poll(0);
        pair.b->poll(0);
      }
      sender_closes ? pair.a->close(pair.ab) : pair.b->close(pair.ba);
      ASSERT_TRUE(pair.finish());
      EXPECT_NE(pair.a->status(sent), -1);
      if (pair.b->status(received) == DUET_OK) {
        EXPECT_TRUE(back == out) << "the data differ";
      }
      back = scribble;
      pair.idle(5 * kMillisecond);
      EXPECT_TRUE(back == scribble) << "written after its completion";
    }
  }
}

TEST_P(Ends, ThePeersCloseEndsOperationsAndIsReported) {
  holds_to({"END-2", "ERR-1"});
  Pair pair{.a = endpoint(), .b = endpoint()};
  pair.ab = pair.a->connect(*pair.b, 1, in(kPatience), "rank 3");
  pair.ba = pair.b->accept(1);
  ASSERT_TRUE(pair.turn([&] { return pair.a->state(pair.ab) == DUET_CONNECTION_READY; }));
  char byte = 0;
  const auto received = pair.a->receive(pair.ab, &byte, 1, in(2 * kSecond));
  pair.b->close(pair.ba);
  ASSERT_TRUE(pair.finish());
  ASSERT_TRUE(is_loss(pair.a->status(received))) << pair.a->status(received);
  if (pair.a->status(received) == DUET_PEER_LOST) {
    duet_error error{};
    EXPECT_EQ(pair.a->state(pair.ab, &error), DUET_CONNECTION_FAILED);
    EXPECT_EQ(Status(error.status), DUET_PEER_LOST);
    EXPECT_THAT(std::string(error.text), HasSubstr("rank 3"));
  }
  pair.a->close(pair.ab);
}

TEST_P(Ends, ThePeersContextClosesAndEveryOperationEndsOnce) {
  holds_to({"END-2", "OP-1"});
  Pair pair = joined();
  std::vector<std::vector<unsigned char>> buffers(4, std::vector<unsigned char>(100'000));
  std::vector<std::uint64_t> ids;
  for (auto& buffer : buffers)
    ids.push_back(pair.a->receive(pair.ab, buffer.data(), buffer.size(), in(2 * kSecond)));
  pair.b.reset();
  ASSERT_TRUE(turn(
      {pair.a.get()}, [&] { return pair.a->in_flight() == 0; }, 3 * kSecond));
  for (const auto id : ids)
    EXPECT_TRUE(is_loss(pair.a->status(id))) << pair.a->status(id);
  idle({pair.a.get()}, 50 * kMillisecond);
  pair.a->close(pair.ab);
}

TEST_P(Ends, AContextClosesWithEverythingInFlightAndLetsGoOfAllMemory) {
  holds_to({"CTX-2", "OP-1"});
  Pair pair = joined();
  {
    // Under AddressSanitizer a later write to these is an error.
    std::vector<std::vector<unsigned char>> buffers(6, std::vector<unsigned char>(400'000));
    for (int i = 0; i < 3; ++i)
      pair.a->receive(pair.ab, buffers[i].data(), buffers[i].size());
    for (int i = 3; i < 6; ++i)
      pair.a->send(pair.ab, buffers[i].data(), buffers[i].size());
    pair.a->connect(*pair.b, 77);
    pair.a->accept(78);
    pair.a->poll(0);
    pair.a.reset();
  }
  std::vector<unsigned char> at_b(400'000);
  std::vector<std::uint64_t> ids;
  duet_error error{};
  for (int i = 0; i < 5; ++i) {
    const Status status =
        pair.b->try_post(i % 2 == 0, pair.ba, at_b.data(), at_b.size(), in(kSecond), &error);
    if (status != DUET_OK) {
      EXPECT_TRUE(is_loss(status)) << status << ": " << error.text;
    }
  }
  EXPECT_TRUE(turn(
      {pair.b.get()}, [&] { return pair.b->in_flight() == 0; }, 3 * kSecond));
  // And a new context takes its place.
  pair.a = endpoint();
  join(pair, 2);
}

TEST_P(Ends, ClosingAPendingConnectionIsPossible) {
  holds_to({"END-1", "CONN-2"});
  const auto a = endpoint(), b = endpoint();
  char byte = 0;
  duet_connection* const connecting = a->connect(*b, 1);
  duet_connection* const accepting = a->accept(2);
  const auto one = a->receive(connecting, &byte, 1);
  const auto two = a->receive(accepting, &byte, 1);
  a->close(connecting);
  a->close(accepting);
  ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() == 0; }));
  EXPECT_EQ(a->status(one), DUET_CANCELLED);
  EXPECT_EQ(a->status(two), DUET_CANCELLED);
}

TEST_P(Ends, TheOtherConnectionsOfTheContextGoOn) {
  holds_to({"CONN-8"});
  Pair pair = joined(1);
  duet_connection* const second_a = pair.a->connect(*pair.b, 2);
  duet_connection* const second_b = pair.b->accept(2);
  char byte = 0;
  pair.a->receive(pair.ab, &byte, 1);
  const auto out = pattern(1000, 1);
  std::vector<unsigned char> back(1000);
  pair.b->receive(second_b, back.data(), back.size());
  pair.b->close(pair.ba);
  pair.a->close(pair.ab);
  pair.a->send(second_a, out.data(), out.size());
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(back, out);
}

TEST_P(Ends, MemoryIsLetGoOfWithTheCompletion) {
  holds_to({"OP-3", "END-1"});
  // Pages that nobody may touch once their operation has ended: whoever does ends the process, or has an
  // error from the system, which then shows in the messages behind.
  for (const std::size_t bytes : {std::size_t{4096}, std::size_t{1} << 20}) {
    SCOPED_TRACE(::testing::Message() << bytes << " bytes");
    Pair pair = joined(bytes);
    const auto text = pattern(bytes, 4);
    GuardedMemory first(bytes), second(bytes);
    std::copy(text.begin(), text.end(), first.data());
    std::copy(text.begin(), text.end(), second.data());
    std::vector<unsigned char> one(bytes), two(bytes);
    const auto sent = pair.a->send(pair.ab, first.data(), bytes);
    pair.turn([&] { return pair.a->ended(sent); }, 50 * kMillisecond);
    if (pair.a->ended(sent)) first.forbid();
    pair.b->receive(pair.ba, one.data(), bytes);
    ASSERT_TRUE(pair.turn([&] { return pair.a->ended(sent); }));
    first.forbid();
    pair.a->send(pair.ab, second.data(), bytes);
    const auto last = pair.b->receive(pair.ba, two.data(), bytes);
    ASSERT_TRUE(pair.finish());
    EXPECT_EQ(pair.b->status(last), DUET_OK);
    EXPECT_EQ(one, text);
    EXPECT_EQ(two, text);
    // A receive that was cancelled by closing, while the peer goes on sending.
    const auto cancelled = pair.b->receive(pair.ba, second.data(), bytes);
    pair.b->close(pair.ba);
    ASSERT_TRUE(pair.turn([&] { return pair.b->ended(cancelled); }));
    second.forbid();
    pair.a->try_post(true, pair.ab, one.data(), bytes, in(100 * kMillisecond));
    ASSERT_TRUE(pair.finish());
    pair.idle(20 * kMillisecond);
  }
}

TEST_P(Ends, OperationsWithoutADeadlineEndWithTheirConnection) {
  holds_to({"OP-1", "CONN-5"});
  Pair pair{.a = endpoint(), .b = endpoint()};
  duet_connection* const ab = pair.a->connect(*pair.b, 1, in(100 * kMillisecond));
  char byte = 0;
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(pair.a->receive(ab, &byte, 1));
    ids.push_back(pair.a->send(ab, &byte, 1));
  }
  ASSERT_TRUE(pair.finish());
  for (const auto id : ids)
    EXPECT_EQ(pair.a->status(id), DUET_TIMED_OUT);
}

DUET_CONTRACT_SUITE(Ends);

}  // namespace
}  // namespace duet::contract
