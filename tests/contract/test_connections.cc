#include <array>
#include <cstring>

#include "contract/contract_test.h"

namespace duet::contract {
namespace {

using ::testing::HasSubstr;

class Connections : public ContractTest {};

TEST_P(Connections, AnAddressThatDoesNotFitIsRefusedWithItsLength) {
  holds_to({"ADDR-1"});
  const auto a = endpoint();
  ASSERT_FALSE(a->address().empty());
  ASSERT_LE(a->address().size(), 512u);
  std::array<char, 512> buffer;
  buffer.fill('x');
  std::uint64_t bytes = a->address().size() - 1;
  EXPECT_EQ(Status(table_.get_address(a->get(), buffer.data(), &bytes)), DUET_MISUSE);
  EXPECT_EQ(bytes, a->address().size());
  EXPECT_EQ(buffer[a->address().size() - 1], 'x') << "written beyond the capacity";
  EXPECT_EQ(Status(table_.get_address(a->get(), buffer.data(), &bytes)), DUET_OK);
  EXPECT_EQ(std::string(buffer.data(), bytes), a->address());
}

TEST_P(Connections, BecomeReadyWhicheverSideComesFirst) {
  holds_to({"CONN-1"});
  for (const bool connect_first : {true, false}) {
    SCOPED_TRACE(connect_first ? "connect first" : "accept first");
    const auto a = endpoint(), b = endpoint();
    duet_connection* ab = nullptr;
    duet_connection* ba = nullptr;
    if (connect_first) ab = a->connect(*b, 9);
    if (!connect_first) ba = b->accept(9);
    idle({a.get(), b.get()}, 30 * kMillisecond);
    if (connect_first) {
      EXPECT_EQ(a->state(ab), DUET_CONNECTION_PENDING);
      ba = b->accept(9);
    } else {
      EXPECT_EQ(b->state(ba), DUET_CONNECTION_PENDING);
      ab = a->connect(*b, 9);
    }
    EXPECT_TRUE(turn({a.get(), b.get()}, [&] {
      return a->state(ab) == DUET_CONNECTION_READY && b->state(ba) == DUET_CONNECTION_READY;
    }));
  }
}

TEST_P(Connections, TakeOperationsWhileTheyArePending) {
  holds_to({"CONN-2"});
  for (const bool connect_first : {true, false}) {
    SCOPED_TRACE(connect_first ? "connect first" : "accept first");
    const auto a = endpoint(), b = endpoint();
    const auto out = pattern(70'000, 3), home = pattern(70'000, 4);
    std::vector<unsigned char> at_a(home.size()), at_b(out.size());
    duet_connection* ab = nullptr;
    duet_connection* ba = nullptr;
    const auto start_a = [&] {
      ab = a->connect(*b, 9);
      a->send(ab, out.data(), out.size(), in(kPatience));
      a->receive(ab, at_a.data(), at_a.size(), in(kPatience));
    };
    const auto start_b = [&] {
      ba = b->accept(9);
      b->receive(ba, at_b.data(), at_b.size(), in(kPatience));
      b->send(ba, home.data(), home.size(), in(kPatience));
    };
    connect_first ? start_a() : start_b();
    idle({a.get(), b.get()}, 30 * kMillisecond);
    connect_first ? start_b() : start_a();
    ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
    EXPECT_EQ(at_b, out);
    EXPECT_EQ(at_a, home);
  }
}

TEST_P(Connections, ExistInBothDirectionsBetweenTheSameTwo) {
  holds_to({"CONN-3"});
  const auto a = endpoint(), b = endpoint();
  duet_connection* first_a = a->connect(*b, 5);
  duet_connection* second_b = b->connect(*a, 6);
  duet_connection* first_b = b->accept(5);
  duet_connection* second_a = a->accept(6);
  const int one = 1, two = 2;
  int got_one = 0, got_two = 0;
  a->send(second_a, &two, sizeof(two));
  a->send(first_a, &one, sizeof(one));
  b->receive(first_b, &got_one, sizeof(int));
  b->receive(second_b, &got_two, sizeof(int));
  ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
  EXPECT_EQ(got_one, 1);
  EXPECT_EQ(got_two, 2);
}

TEST_P(Connections, ComeAboutWithATicketWhereThereAreTickets) {
  holds_to({"TICKET-1"});
  if (table_.make_ticket == nullptr) GTEST_SKIP() << "this transport needs no tickets";
  const auto a = endpoint(), b = endpoint();
  const std::uint64_t start = now_ns();
  EXPECT_NE(b->ticket(1), b->ticket(2)) << "each session has a ticket of its own";
  EXPECT_LT(now_ns() - start, kSecond);
  Pair pair{.a = endpoint(), .b = endpoint()};
  join(pair, 5);
}

TEST_P(Connections, TakeOneOfTwoWhoConnectWithTheSameSession) {
  holds_to({"CONN-4", "CONN-6"});
  if (table_.make_ticket != nullptr) GTEST_SKIP() << "a ticket of this transport is for one who connects";
  const auto a = endpoint(), b = endpoint(), c = endpoint();
  const std::uint64_t deadline = in(300 * kMillisecond);
  duet_error error{};
  std::vector<std::pair<Endpoint*, duet_connection*>> visitors;
  for (Endpoint* visitor : {b.get(), c.get()}) {
    duet_connection* made = nullptr;
    if (visitor->try_connect(a->address(), {}, 5, deadline, "rank 3", &made, &error) == DUET_OK)
      visitors.emplace_back(visitor, made);
  }
  duet_connection* const accepted = a->accept(5);
  std::size_t ready = 0;
  ASSERT_TRUE(turn({a.get(), b.get(), c.get()}, [&] {
    std::size_t settled = ready = 0;
    for (const auto& [visitor, connection] : visitors) {
      const int state = visitor->state(connection);
      settled += state != DUET_CONNECTION_PENDING ? 1 : 0;
      ready += state == DUET_CONNECTION_READY ? 1 : 0;
    }
    return settled == visitors.size() && a->state(accepted) != DUET_CONNECTION_PENDING;
  }));
  EXPECT_EQ(ready, 1u) << "of two with one session, one is connected";
  EXPECT_EQ(a->state(accepted), DUET_CONNECTION_READY);
}

TEST_P(Connections, OfDifferentSessionsAreNotJoined) {
  holds_to({"CONN-4", "TIME-2"});
  const auto a = endpoint(), b = endpoint();
  duet_connection* const ab = a->connect(*b, 5, in(200 * kMillisecond), "rank 3");
  duet_connection* const ba = b->accept(6, in(200 * kMillisecond), "rank 4");
  ASSERT_TRUE(turn({a.get(), b.get()}, [&] {
    return a->state(ab) != DUET_CONNECTION_PENDING && b->state(ba) != DUET_CONNECTION_PENDING;
  }));
  duet_error error{};
  EXPECT_EQ(a->state(ab, &error), DUET_CONNECTION_FAILED);
  EXPECT_TRUE(is_loss(error.status)) << Status(error.status);
  EXPECT_EQ(b->state(ba, &error), DUET_CONNECTION_FAILED);
  EXPECT_EQ(Status(error.status), DUET_TIMED_OUT);
}

TEST_P(Connections, ToWhatIsNoAddressAreRefusedOrFail) {
  holds_to({"CONN-4", "ERR-1", "ERR-3"});
  const auto a = endpoint(), b = endpoint();
  std::string almost = b->address();
  almost.back() = static_cast<char>(almost.back() ^ 1);
  std::string longer = b->address() + std::string(512 - b->address().size(), 'a');
  std::uint64_t session = 2;
  for (const std::string& address :
       {std::string(), std::string("nonsense"), std::string(512, '\xff'), b->address().substr(1),
        b->address().substr(0, b->address().size() / 2), almost, longer}) {
    SCOPED_TRACE(::testing::PrintToString(address));
    duet_connection* connection = nullptr;
    duet_error error{};
    ++session;
    const Status status = a->try_connect(address, b->ticket(session), session, in(300 * kMillisecond),
                                         "rank 9", &connection, &error);
    if (status == DUET_OK) {
      ASSERT_TRUE(turn({a.get()}, [&] { return a->state(connection, &error) == DUET_CONNECTION_FAILED; }));
      a->close(connection);
    }
    EXPECT_NE(Status(error.status), DUET_OK);
    EXPECT_THAT(std::string(error.text), HasSubstr("rank 9"));
  }
  // The context has taken no harm.
  Pair pair{.a = endpoint(), .b = endpoint()};
  join(pair, 2);
}

TEST_P(Connections, ToAContextThatIsGoneFailAndNameThePeer) {
  holds_to({"CONN-4", "ERR-1"});
  const auto a = endpoint();
  std::string address, ticket;
  {
    const auto b = endpoint();
    address = b->address();
    ticket = b->ticket(1);
  }
  duet_connection* connection = nullptr;
  duet_error error{};
  if (a->try_connect(address, ticket, 1, in(kSecond), "rank 9", &connection, &error) == DUET_OK) {
    ASSERT_TRUE(turn({a.get()}, [&] { return a->state(connection, &error) == DUET_CONNECTION_FAILED; }));
  }
  EXPECT_TRUE(is_loss(error.status)) << Status(error.status);
  EXPECT_THAT(std::string(error.text), HasSubstr("rank 9"));
}

TEST_P(Connections, ThatFailedRefuseOperationsWithTheReason) {
  holds_to({"CONN-5", "ERR-1", "ERR-3"});
  const auto a = endpoint(), b = endpoint();
  duet_connection* const ab = a->connect(*b, 1, in(50 * kMillisecond), "rank 3");
  char byte = 0;
  const auto before = a->receive(ab, &byte, 1);
  ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->state(ab) == DUET_CONNECTION_FAILED; }));
  ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->ended(before); })) << "its operations end with it";
  EXPECT_EQ(a->status(before), DUET_TIMED_OUT);
  duet_error error{};
  for (const bool send : {true, false}) {
    EXPECT_EQ(a->try_post(send, ab, &byte, 1, 0, &error), DUET_TIMED_OUT);
    EXPECT_THAT(std::string(error.text), HasSubstr("rank 3"));
  }
  a->close(ab);
}

DUET_CONTRACT_SUITE(Connections);

}  // namespace
}  // namespace duet::contract
