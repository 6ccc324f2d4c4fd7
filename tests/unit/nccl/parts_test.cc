/// The small pure parts: ticket, ticket book, address, frame, settings.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "failure.h"
#include "frame.h"
#include "peer_address.h"
#include "settings.h"
#include "ticket.h"
#include "ticket_book.h"

namespace duet::nccl {
namespace {

using ::testing::HasSubstr;

template <typename Work>
Failure failure_of(Work work) {
  try {
    work();
  } catch (const FailureError& error) {
    return error.failure();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

Ticket sample(std::uint64_t session) {
  Ticket ticket;
  ticket.session = session;
  for (std::size_t i = 0; i < ticket.id.size(); ++i)
    ticket.id[i] = static_cast<unsigned char>(i * 7 + session);
  ticket.secret.fill(static_cast<unsigned char>(session));
  return ticket;
}

TEST(TicketBytes, SurviveTheWay) {
  const Ticket ticket = sample(0x1122334455667788);
  const std::string bytes = ticket.encode();
  EXPECT_LE(bytes.size(), 256u) << "the contract's room";
  EXPECT_EQ(Ticket::decode(bytes.data(), bytes.size(), ticket.session, "rank 3"), ticket);
}

TEST(TicketBytes, ThatAreMissingDamagedOrAnotherSessionsAreRefusedByReason) {
  const std::string bytes = sample(7).encode();
  const auto refusal = [](const std::string& text, std::uint64_t session) {
    const Failure failure = failure_of([&] { Ticket::decode(text.data(), text.size(), session, "rank 3"); });
    EXPECT_EQ(failure.status, DUET_MISUSE);
    EXPECT_THAT(failure.text, HasSubstr("rank 3"));
    return failure.text;
  };
  EXPECT_THAT(failure_of([] { Ticket::decode(nullptr, 0, 7, "rank 3"); }).text, HasSubstr("no ticket"));
  EXPECT_THAT(refusal("", 7), HasSubstr("no ticket"));
  EXPECT_THAT(refusal(bytes, 8), HasSubstr("session 7"));
  EXPECT_THAT(refusal(bytes.substr(1), 7), HasSubstr("none of this transport's"));
  EXPECT_THAT(refusal(bytes + "x", 7), HasSubstr("none of this transport's"));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    refusal(damaged, 7);
  }
}

TEST(TicketBook, AnIdServesAgainUntilACommunicatorHasUsedIt) {
  TicketBook book;
  EXPECT_FALSE(book.take_spare().has_value());
  const Ticket first = sample(1);
  book.issue(1, first.secret, first.id);
  EXPECT_TRUE(book.opens(1, first.secret));
  EXPECT_FALSE(book.opens(1, sample(2).secret));
  EXPECT_FALSE(book.opens(2, first.secret));
  book.settle(1, false);
  EXPECT_FALSE(book.opens(1, first.secret)) << "whoever has the old ticket is turned away";
  const auto spare = book.take_spare();
  ASSERT_TRUE(spare.has_value());
  EXPECT_EQ(*spare, first.id);
  book.issue(2, sample(2).secret, *spare);
  book.settle(2, true);
  EXPECT_FALSE(book.take_spare().has_value());
  EXPECT_EQ(book.size(), 0u);
}

TEST(TicketBook, TicketsThatNobodyComesWithDoNotPileUp) {
  TicketBook book;
  std::set<UniqueId> ids;
  for (std::uint64_t session = 1; session <= 1000; ++session) {
    const auto spare = book.take_spare();
    const UniqueId id = spare.value_or(sample(session).id);
    ids.insert(id);
    book.issue(session, sample(session).secret, id);
  }
  EXPECT_LE(ids.size(), TicketBook::kMostUnused);
  EXPECT_EQ(book.size(), TicketBook::kMostUnused);
  EXPECT_TRUE(book.opens(1000, sample(1000).secret));
  EXPECT_FALSE(book.opens(1, sample(1).secret));
}

TEST(TicketBook, OneThatIsBeingAcceptedIsNeverForgotten) {
  TicketBook book;
  book.issue(1, sample(1).secret, sample(1).id);
  book.claim(1);
  for (std::uint64_t session = 2; session <= 500; ++session)
    book.issue(session, sample(session).secret, book.take_spare().value_or(sample(session).id));
  EXPECT_TRUE(book.opens(1, sample(1).secret));
  std::set<UniqueId> ids;
  for (const UniqueId& id : book.close())
    EXPECT_TRUE(ids.insert(id).second) << "an id was given out twice";
  EXPECT_TRUE(ids.contains(sample(1).id));
}

PeerAddress sample_address() {
  PeerAddress address;
  address.line.sin_family = AF_INET;
  inet_pton(AF_INET, "10.1.2.3", &address.line.sin_addr);
  address.line.sin_port = htons(4567);
  address.gpu.fill(0xab);
  address.process.fill(0x01);
  address.host = 0xfedcba9876543210;
  return address;
}

TEST(PeerAddressText, SurvivesTheWay) {
  const PeerAddress address = sample_address();
  const std::string blob = address.encode();
  EXPECT_LE(blob.size(), 512u) << "the contract's room";
  EXPECT_THAT(blob, HasSubstr("duet-nccl://10.1.2.3:4567 gpu=abab"));
  const PeerAddress back = PeerAddress::decode(blob, "rank 3");
  EXPECT_EQ(to_text(back.line), "10.1.2.3:4567");
  EXPECT_EQ(back.gpu, address.gpu);
  EXPECT_EQ(back.process, address.process);
  EXPECT_EQ(back.host, address.host);
  EXPECT_FALSE(is_loopback(back.line));
}

TEST(PeerAddressText, ThatIsNoneIsRefused) {
  const std::string blob = sample_address().encode();
  for (const std::string& bad :
       {std::string(), std::string("nonsense"), std::string(512, '\xff'), blob.substr(0, blob.size() - 20),
        blob + " more", std::string("duet-nccl://10.1.2.3 gpu=ab"), std::string("duet-nccl://x:1"),
        std::string("duet-nccl://10.1.2.3:0") + blob.substr(27),
        std::string("duet-libfabric:tcp://10.1.2.3:4567")}) {
    const Failure failure = failure_of([&] { PeerAddress::decode(bad, "rank 3"); });
    EXPECT_EQ(failure.status, DUET_MISUSE);
    EXPECT_THAT(failure.text, HasSubstr("rank 3"));
  }
}

TEST(PeerAddressText, ProcessesAndTheirHostHaveNames) {
  EXPECT_EQ(own_process(), own_process());
  EXPECT_NE(own_process(), Id128{});
  EXPECT_NE(random_id(), random_id());
  EXPECT_EQ(own_host(), own_host());
}

TEST(FrameBytes, SurviveTheWayAndNothingElseIsBelieved) {
  Frame frame;
  frame.kind = FrameKind::kHello;
  frame.first = 1;
  frame.second = ~0ull;
  frame.third = 3;
  frame.secret.fill(4);
  frame.process.fill(5);
  frame.gpu.fill(6);
  const auto bytes = frame.encode();
  EXPECT_EQ(Frame::decode(bytes.data()), frame);
  std::mt19937_64 random(1);
  int believed = 0;
  for (int i = 0; i < 10'000; ++i) {
    Frame::Bytes noise;
    for (auto& byte : noise)
      byte = static_cast<unsigned char>(random());
    believed += Frame::decode(noise.data()).has_value() ? 1 : 0;
  }
  EXPECT_EQ(believed, 0);
  auto unknown = bytes;
  unknown[4] = 99;
  EXPECT_FALSE(Frame::decode(unknown.data()).has_value());
}

TEST(NcclSettings, AreReadAndRefusedByName) {
  const duet_setting good[] = {{"library", "/lib/nccl"},   {"cuda_library", "/lib/cuda"}, {"device", "3"},
                               {"interface", "127.0.0.1"}, {"communicators", "8"},        {"ctas", "2"},
                               {"abort_timeout", "0.5"}};
  const Settings settings = Settings::parse(good, std::size(good));
  EXPECT_EQ(settings.library, "/lib/nccl");
  EXPECT_EQ(settings.cuda_library, "/lib/cuda");
  EXPECT_EQ(settings.device, 3);
  EXPECT_TRUE(settings.loopback);
  EXPECT_EQ(settings.communicators, 8);
  EXPECT_EQ(settings.ctas, 2);
  EXPECT_EQ(settings.abort_timeout_ns, 500'000'000u);
  EXPECT_FALSE(Settings::parse(nullptr, 0).device.has_value());
  for (const auto& [key, value] :
       {std::pair{"provider", "tcp"}, std::pair{"device", "-1"}, std::pair{"device", "x"},
        std::pair{"interface", "no_such_interface0"}, std::pair{"communicators", "0"},
        std::pair{"ctas", "1000"}, std::pair{"abort_timeout", "soon"}, std::pair{"abort_timeout", "-1"}}) {
    const duet_setting bad{key, value};
    const Failure failure = failure_of([&] { Settings::parse(&bad, 1); });
    EXPECT_EQ(failure.status, DUET_MISUSE);
    EXPECT_THAT(failure.text, HasSubstr(key));
    EXPECT_THAT(failure.text, HasSubstr(value));
  }
}

}  // namespace
}  // namespace duet::nccl
