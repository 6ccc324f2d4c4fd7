#include <algorithm>
#include <numeric>

#include "contract/contract_test.h"
#include "support/sanitizers.h"

namespace duet::contract {
namespace {

class Messages : public ContractTest {};

TEST_P(Messages, OfEverySizeArriveUnaltered) {
  holds_to({"OP-7"});
  Pair pair = joined();
  constexpr std::size_t kMiB = 1u << 20;
  std::uint64_t seed = 1;
  const std::size_t most = up_to(64 * kMiB);
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{8}, std::size_t{63}, std::size_t{64},
        std::size_t{65}, std::size_t{4095}, std::size_t{4097}, std::size_t{65537}, kMiB, kMiB + 1, most}) {
    for (const std::size_t offset : {0, 1, 7}) {  // unaligned memory, on both sides, differently
      if (bytes > kMiB + 1 && offset > 0) continue;
      SCOPED_TRACE(::testing::Message() << bytes << " bytes, offset " << offset);
      const std::vector<unsigned char> text = pattern(bytes, ++seed);
      std::vector<unsigned char> out(bytes + offset), back(bytes + offset + 16, 0xee);
      std::copy(text.begin(), text.end(), out.begin() + offset);
      unsigned char* const at = back.data() + 8 - offset;
      const auto sent = pair.a->send(pair.ab, out.data() + offset, bytes, in(kPatience));
      const auto received = pair.b->receive(pair.ba, at, bytes, in(kPatience));
      ASSERT_TRUE(pair.finish());
      ASSERT_EQ(pair.a->status(sent), DUET_OK);
      ASSERT_EQ(pair.b->status(received), DUET_OK);
      EXPECT_EQ(pair.b->completion(received).bytes, bytes);
      EXPECT_TRUE(std::equal(text.begin(), text.end(), at)) << "the data differ";
      EXPECT_TRUE(std::all_of(back.data(), at, [](unsigned char c) { return c == 0xee; }))
          << "written before";
      EXPECT_TRUE(std::all_of(at + bytes, back.data() + back.size(), [](unsigned char c) {
        return c == 0xee;
      })) << "written behind";
    }
  }
}

TEST_P(Messages, EmptyOnesNeedNoMemory) {
  holds_to({"OP-4"});
  Pair pair = joined();
  const auto sent = pair.a->send(pair.ab, nullptr, 0);
  const auto received = pair.b->receive(pair.ba, nullptr, 0);
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.a->status(sent), DUET_OK);
  EXPECT_EQ(pair.b->status(received), DUET_OK);
  EXPECT_EQ(pair.b->completion(received).bytes, 0u);
}

TEST_P(Messages, ArriveWhicheverSidePostsFirst) {
  holds_to({"OP-2"});
  Pair pair = joined();
  for (const bool send_first : {true, false}) {
    for (const std::size_t bytes : {100u, 300'000u}) {
      SCOPED_TRACE(::testing::Message()
                   << (send_first ? "send" : "receive") << " first, " << bytes << " bytes");
      const auto out = pattern(bytes, bytes);
      std::vector<unsigned char> back(bytes);
      std::uint64_t sent = 0, received = 0;
      if (send_first) sent = pair.a->send(pair.ab, out.data(), bytes);
      if (!send_first) received = pair.b->receive(pair.ba, back.data(), bytes);
      // Long enough for the first to reach the other side alone.
      pair.idle(20 * kMillisecond);
      if (!send_first) sent = pair.a->send(pair.ab, out.data(), bytes);
      if (send_first) received = pair.b->receive(pair.ba, back.data(), bytes);
      ASSERT_TRUE(pair.finish());
      EXPECT_EQ(pair.a->status(sent), DUET_OK);
      EXPECT_EQ(pair.b->status(received), DUET_OK);
      EXPECT_EQ(back, out);
    }
  }
}

TEST_P(Messages, KeepTheirOrderAndBoundariesInBothDirections) {
  holds_to({"OP-2"});
  Pair pair = joined();
  constexpr int kMessages = 120;
  struct Stream {
    std::vector<std::vector<unsigned char>> out, back;
    std::vector<std::uint64_t> sends, receives;
  };
  Stream forth, home;
  for (Stream* stream : {&forth, &home}) {
    for (int i = 0; i < kMessages; ++i) {
      const std::size_t bytes = (i * 977) % 5000;
      stream->out.push_back(pattern(bytes, i + (stream == &home ? 1000 : 0)));
      stream->back.emplace_back(bytes);
    }
    stream->sends.resize(kMessages);
    stream->receives.resize(kMessages);
  }
  // The operation that lies a connection's room before the next one has ended on both sides: a's and b's.
  const auto room = [&](int next, const auto& of_a, const auto& of_b) {
    const int before = next - static_cast<int>(kRoom);
    return before < 0 || (pair.a->ended(of_a[before]) && pair.b->ended(of_b[before]));
  };
  // Bursts of different lengths, so that now the sends are ahead and now the receives.
  int sent = 0, received = 0;
  const std::uint64_t give_up = in(kPatience);
  while ((sent < kMessages || received < kMessages) && now_ns() < give_up) {
    for (int k = 0; k < 7 && sent < kMessages && room(sent, forth.sends, home.sends); ++k, ++sent) {
      forth.sends[sent] =
          pair.a->send(pair.ab, forth.out[sent].data(), forth.out[sent].size(), in(kPatience));
      home.sends[sent] = pair.b->send(pair.ba, home.out[sent].data(), home.out[sent].size(), in(kPatience));
    }
    for (int k = 0; k < 11 && received < kMessages && room(received, home.receives, forth.receives);
         ++k, ++received) {
      auto& at_b = forth.back[received];
      auto& at_a = home.back[received];
      forth.receives[received] = pair.b->receive(pair.ba, at_b.data(), at_b.size(), in(kPatience));
      home.receives[received] = pair.a->receive(pair.ab, at_a.data(), at_a.size(), in(kPatience));
    }
    for (Endpoint* endpoint : pair.both())
      endpoint->poll(0);
  }
  ASSERT_EQ(sent, kMessages) << "the streams stand still";
  ASSERT_EQ(received, kMessages) << "the streams stand still";
  ASSERT_TRUE(pair.finish());
  for (int i = 0; i < kMessages; ++i) {
    EXPECT_EQ(pair.a->status(forth.sends[i]), DUET_OK);
    EXPECT_EQ(pair.b->completion(forth.receives[i]).bytes, forth.out[i].size());
    EXPECT_EQ(pair.a->completion(home.receives[i]).bytes, home.out[i].size());
    ASSERT_EQ(forth.back[i], forth.out[i]) << "message " << i;
    ASSERT_EQ(home.back[i], home.out[i]) << "message " << i << " of the way back";
  }
}

TEST_P(Messages, MayBeShorterThanTheirReceive) {
  holds_to({"OP-5"});
  if (exact_size()) GTEST_SKIP() << "this transport says that sizes must be equal";
  Pair pair = joined();
  const auto out = pattern(1000, 5);
  std::vector<unsigned char> back(4000, 0xee);
  pair.a->send(pair.ab, out.data(), out.size());
  const auto received = pair.b->receive(pair.ba, back.data(), back.size());
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.b->status(received), DUET_OK);
  EXPECT_EQ(pair.b->completion(received).bytes, out.size());
  EXPECT_TRUE(std::equal(out.begin(), out.end(), back.begin()));
  EXPECT_TRUE(std::all_of(back.begin() + 1000, back.end(), [](unsigned char c) { return c == 0xee; }));
}

TEST_P(Messages, LongerThanTheirReceiveAreMisuseAndStayInsideIt) {
  holds_to({"OP-6"});
  Pair pair = joined();
  for (const std::size_t bytes : {1000u, 300'000u}) {
    SCOPED_TRACE(::testing::Message() << "a message of " << bytes << " bytes, a receive of 100");
    if (bytes > 1000) join(pair, bytes);
    const auto out = pattern(bytes, 5);
    std::vector<unsigned char> back(bytes, 0xee);
    pair.a->send(pair.ab, out.data(), bytes, in(kSecond));
    const auto received = pair.b->receive(pair.ba, back.data(), 100, in(kSecond));
    ASSERT_TRUE(pair.finish());
    EXPECT_EQ(pair.b->status(received), DUET_MISUSE);
    EXPECT_TRUE(std::all_of(back.begin() + 100, back.end(), [](unsigned char c) { return c == 0xee; }));
  }
}

TEST_P(Messages, GiveTheSendersBufferBackWithTheCompletion) {
  holds_to({"OP-3"});
  Pair pair = joined();
  const auto text = pattern(200'000, 9);
  for (int round = 0; round < 10; ++round) {
    auto out = text;
    std::vector<unsigned char> back(text.size());
    const auto sent = pair.a->send(pair.ab, out.data(), out.size());
    if (round % 2 == 1) pair.turn([&] { return pair.a->ended(sent); }, 5 * kMillisecond);
    if (pair.a->ended(sent)) std::fill(out.begin(), out.end(), 0);
    pair.b->receive(pair.ba, back.data(), back.size());
    ASSERT_TRUE(pair.turn([&] { return pair.a->ended(sent); }));
    std::fill(out.begin(), out.end(), 0);
    ASSERT_TRUE(pair.finish());
    ASSERT_EQ(back, text);
  }
}

TEST_P(Messages, DoNotMixBetweenSixtyFourConnections) {
  holds_to({"CONN-3"});
  constexpr int kConnections = 64;
  const auto a = endpoint(), b = endpoint();
  std::vector<duet_connection*> ab, ba(kConnections);
  for (int i = 0; i < kConnections; ++i)
    ab.push_back(a->connect(*b, 100 + i));
  for (int i = kConnections - 1; i >= 0; --i)
    ba[i] = b->accept(100 + i);
  std::vector<std::vector<unsigned char>> at_a(kConnections), at_b(kConnections), from_a, from_b;
  for (int i = 0; i < kConnections; ++i) {
    from_a.push_back(pattern(3000, 10 + i));
    from_b.push_back(pattern(3000, 1000 + i));
    at_a[i].resize(3000);
    at_b[i].resize(3000);
    a->receive(ab[i], at_a[i].data(), 3000, in(kPatience));
    b->receive(ba[i], at_b[i].data(), 3000, in(kPatience));
  }
  for (int i = 0; i < kConnections; ++i) {
    const int k = (i * 37) % kConnections;  // not in the order of the receives
    a->send(ab[k], from_a[k].data(), 3000, in(kPatience));
    b->send(ba[k], from_b[k].data(), 3000, in(kPatience));
  }
  ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
  for (int i = 0; i < kConnections; ++i) {
    EXPECT_EQ(at_a[i], from_b[i]) << "connection " << i;
    EXPECT_EQ(at_b[i], from_a[i]) << "connection " << i;
  }
}

TEST_P(Messages, OfAnEarlierSessionNeverAppearInALaterOne) {
  holds_to({"CONN-6"});
  Pair pair = joined(1);
  const auto old_data = pattern(2000, 1);
  const auto new_data = pattern(2000, 2);
  std::vector<unsigned char> old_back(2000, 0xaa), back(2000);
  // Both a message that nobody took and a receive that nobody served are left behind.
  pair.a->send(pair.ab, old_data.data(), 2000);
  pair.a->send(pair.ab, old_data.data(), 2000);
  pair.a->receive(pair.ab, old_back.data(), 2000);
  pair.idle(20 * kMillisecond);
  pair.a->close(pair.ab);
  pair.b->close(pair.ba);
  ASSERT_TRUE(pair.finish());
  join(pair, 2);
  const auto sent = pair.a->send(pair.ab, new_data.data(), 2000);
  const auto received = pair.b->receive(pair.ba, back.data(), 2000);
  pair.b->send(pair.ba, new_data.data(), 2000);
  std::vector<unsigned char> at_a(2000);
  pair.a->receive(pair.ab, at_a.data(), 2000);
  ASSERT_TRUE(pair.finish());
  EXPECT_EQ(pair.a->status(sent), DUET_OK);
  EXPECT_EQ(pair.b->status(received), DUET_OK);
  EXPECT_EQ(back, new_data);
  EXPECT_EQ(at_a, new_data);
  EXPECT_TRUE(std::all_of(old_back.begin(), old_back.end(), [](unsigned char c) { return c == 0xaa; }));
}

TEST_P(Messages, MayAddUpToMoreThanFourGigabytes) {
  holds_to({"OP-7", "OP-2"});
  // Beyond 2^32 bytes, whatever a transport counts in; a block carries its number at both ends.
  const std::uint64_t block_bytes = up_to((4u << 20) + 8) / 8 * 8;
#ifdef DUET_UNDER_TSAN
  // It looks at every byte, which takes minutes; how far a transport counts is seen in the other builds.
  constexpr std::uint64_t kTotal = std::uint64_t{1} << 28;
#else
  constexpr std::uint64_t kTotal = std::uint64_t{1} << 32;
#endif
  const std::uint64_t blocks = kTotal / block_bytes + 2;
  constexpr std::uint64_t kInFlight = 4;
  Pair pair = joined();
  std::vector<std::vector<std::uint64_t>> out(kInFlight, std::vector<std::uint64_t>(block_bytes / 8));
  std::vector<std::vector<std::uint64_t>> back = out;
  std::vector<std::uint64_t> sends(kInFlight), receives(kInFlight);
  std::uint64_t sent = 0, received = 0, checked = 0, wrong = 0, returned = 0;
  const std::uint64_t give_up = in(150 * kSecond);
  while (checked < blocks && now_ns() < give_up) {
    for (; received < blocks && received < checked + kInFlight; ++received)
      receives[received % kInFlight] =
          pair.b->receive(pair.ba, back[received % kInFlight].data(), block_bytes, in(kPatience));
    for (; returned < sent && pair.a->ended(sends[returned % kInFlight]); ++returned)
      wrong += pair.a->status(sends[returned % kInFlight]) == DUET_OK ? 0 : 1;
    for (; sent < blocks && sent < returned + kInFlight; ++sent) {
      auto& block = out[sent % kInFlight];
      block.front() = sent;
      block.back() = ~sent;
      sends[sent % kInFlight] = pair.a->send(pair.ab, block.data(), block_bytes, in(kPatience));
    }
    // Without sleeping: what goes through in pieces would sleep for each of them.
    pair.a->poll(0);
    pair.b->poll(0);
    for (; checked < received && pair.b->ended(receives[checked % kInFlight]); ++checked) {
      const auto& block = back[checked % kInFlight];
      const duet_completion completion = pair.b->completion(receives[checked % kInFlight]);
      const bool right = completion.status == DUET_OK && completion.bytes == block_bytes &&
                         block.front() == checked && block.back() == ~checked;
      wrong += right ? 0 : 1;
    }
    ASSERT_EQ(wrong, 0u) << "after " << checked << " blocks";
  }
  EXPECT_EQ(checked, blocks) << "not within 150 s";
  pair.finish();
}

TEST_P(Messages, AboveTheLargestAreRefused) {
  holds_to({"OP-8", "ERR-1", "ERR-3"});
  const std::uint64_t largest = probe().largest_message;
  if (largest == 0 || largest == UINT64_MAX) GTEST_SKIP() << "this transport has no largest message";
  Pair pair = joined();
  char byte = 0;
  duet_error error{};
  EXPECT_EQ(pair.a->try_post(true, pair.ab, &byte, largest + 1, in(kSecond), &error), DUET_MISUSE);
  EXPECT_THAT(std::string(error.text), ::testing::HasSubstr("rank 7"));
  pair.idle(20 * kMillisecond);
}

TEST_P(Messages, ReuseTheIdsOfOperationsThatHaveEnded) {
  holds_to({"OP-9"});
  Pair pair = joined();
  for (int round = 0; round < 20; ++round) {
    pair.a->forget();
    pair.b->forget();
    pair.a->set_next_id(1);
    pair.b->set_next_id(1);
    const int out = round;
    int back = -1;
    pair.a->send(pair.ab, &out, sizeof(out), in(kPatience));
    const auto received = pair.b->receive(pair.ba, &back, sizeof(back), in(kPatience));
    ASSERT_TRUE(pair.finish());
    EXPECT_EQ(pair.b->status(received), DUET_OK);
    EXPECT_EQ(back, round);
  }
}

TEST_P(Messages, BeyondTheRoomAreToldToComeAgain) {
  holds_to({"OP-10", "OP-8", "OP-1", "OP-2"});
  Pair pair = joined();
  constexpr int kMost = 3000;
  std::vector<int> out(kMost), back(kMost);
  // The least, of sends, too, while there is nobody to serve them.
  Pair other = joined(2);
  char byte = 0;
  for (std::size_t i = 0; i < kRoom; ++i) {
    for (const bool send : {true, false}) {
      EXPECT_EQ(other.a->try_post(send, other.ab, &byte, send ? 1 : 0, in(kPatience)), DUET_OK)
          << (send ? "send" : "receive") << " number " << i + 1 << " of the " << kRoom << " that have room";
    }
  }
  other.a->close(other.ab);
  ASSERT_TRUE(other.finish());
  // Without anybody to serve them, until the transport has no more room, if ever.
  int posted = 0;
  Status status = DUET_OK;
  std::vector<std::uint64_t> receives;
  for (; posted < kMost; ++posted) {
    status = pair.b->try_post(false, pair.ba, &back[posted], sizeof(int), in(kPatience));
    if (status != DUET_OK) break;
    receives.push_back(pair.b->last_id());
  }
  EXPECT_TRUE(status == DUET_OK || status == DUET_AGAIN) << status;
  ASSERT_GE(static_cast<std::size_t>(posted), kRoom);
  for (int i = 0; i < posted; ++i) {
    out[i] = i;
    pair.a->send(pair.ab, &out[i], sizeof(int), in(kPatience));
    pair.b->poll(0);
  }
  ASSERT_TRUE(pair.finish());
  for (int i = 0; i < posted; ++i) {
    ASSERT_EQ(pair.b->status(receives[i]), DUET_OK) << i;
    ASSERT_EQ(back[i], i);
  }
  // And there is room again.
  EXPECT_EQ(pair.b->try_post(false, pair.ba, &back[0], sizeof(int), in(50 * kMillisecond)), DUET_OK);
}

DUET_CONTRACT_SUITE(Messages);

}  // namespace
}  // namespace duet::contract
