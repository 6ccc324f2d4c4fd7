#include <array>
#include <cstring>

#include "contract/endpoint.h"

namespace duet::contract {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Connections : public ContractTest {};

TEST_P(Connections, ProbeAndOpenRefuseAnUnknownSettingByName) {
  auto settings = GetParam().settings;
  settings.emplace_back("no_such_setting", "1");
  std::vector<duet_setting> c_settings;
  for (const auto& [key, value] : settings)
    c_settings.push_back({key.c_str(), value.c_str()});
  duet_probe_result result{};
  result.struct_size = sizeof(result);
  EXPECT_EQ(table_.probe(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &result),
            DUET_MISUSE);
  EXPECT_THAT(std::string(result.reason), HasSubstr("no_such_setting"));
  duet_context* context = nullptr;
  duet_error error{};
  EXPECT_EQ(
      table_.open_context(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &context, &error),
      DUET_MISUSE);
  EXPECT_EQ(error.status, DUET_MISUSE);
  EXPECT_THAT(std::string(error.text), HasSubstr("no_such_setting"));
}

TEST_P(Connections, TheProbeSaysWhatWouldBeUsed) {
  const std::uint64_t kind =
      GetParam().memory == nullptr ? DUET_CAPABILITY_HOST_MEMORY : DUET_CAPABILITY_CUDA_MEMORY;
  EXPECT_NE(capabilities() & kind, 0u);
}

TEST_P(Connections, AnAddressThatDoesNotFitIsRefusedWithItsLength) {
  const auto a = endpoint();
  ASSERT_FALSE(a->address().empty());
  ASSERT_LE(a->address().size(), 512u);
  std::array<char, 512> buffer;
  buffer.fill('x');
  std::uint64_t bytes = a->address().size() - 1;
  EXPECT_EQ(table_.get_address(a->get(), buffer.data(), &bytes), DUET_MISUSE);
  EXPECT_EQ(bytes, a->address().size());
  EXPECT_EQ(buffer[a->address().size() - 1], 'x') << "written beyond the capacity";
  EXPECT_EQ(table_.get_address(a->get(), buffer.data(), &bytes), DUET_OK);
  EXPECT_EQ(std::string(buffer.data(), bytes), a->address());
}

TEST_P(Connections, BecomeReadyWhicheverSideComesFirst) {
  for (const bool connect_first : {true, false}) {
    SCOPED_TRACE(connect_first ? "connect first" : "accept first");
    const auto a = endpoint(), b = endpoint();
    duet_connection* ab = nullptr;
    duet_connection* ba = nullptr;
    if (connect_first) ab = a->connect(b->address(), 9);
    if (!connect_first) ba = b->accept(9);
    turn(
        {a.get(), b.get()}, [] { return false; }, 30 * kMillisecond);
    if (connect_first) {
      EXPECT_EQ(a->state(ab), DUET_CONNECTION_PENDING);
      ba = b->accept(9);
    } else {
      EXPECT_EQ(b->state(ba), DUET_CONNECTION_PENDING);
      ab = a->connect(b->address(), 9);
    }
    EXPECT_TRUE(turn({a.get(), b.get()}, [&] {
      return a->state(ab) == DUET_CONNECTION_READY && b->state(ba) == DUET_CONNECTION_READY;
    }));
  }
}

TEST_P(Connections, TakeOperationsWhileTheyArePending) {
  for (const bool connect_first : {true, false}) {
    SCOPED_TRACE(connect_first ? "connect first" : "accept first");
    const auto a = endpoint(), b = endpoint();
    const auto out = pattern(70'000, 3), home = pattern(70'000, 4);
    std::vector<unsigned char> at_a(home.size()), at_b(out.size());
    duet_connection* ab = nullptr;
    duet_connection* ba = nullptr;
    const auto start_a = [&] {
      ab = a->connect(b->address(), 9);
      a->send(ab, out.data(), out.size(), in(kPatience));
      a->receive(ab, at_a.data(), at_a.size(), in(kPatience));
    };
    const auto start_b = [&] {
      ba = b->accept(9);
      b->receive(ba, at_b.data(), at_b.size(), in(kPatience));
      b->send(ba, home.data(), home.size(), in(kPatience));
    };
    connect_first ? start_a() : start_b();
    turn(
        {a.get(), b.get()}, [] { return false; }, 30 * kMillisecond);
    connect_first ? start_b() : start_a();
    ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
    EXPECT_EQ(at_b, out);
    EXPECT_EQ(at_a, home);
  }
}

TEST_P(Connections, ExistInBothDirectionsBetweenTheSameTwo) {
  const auto a = endpoint(), b = endpoint();
  duet_connection* first_a = a->connect(b->address(), 5);
  duet_connection* second_b = b->connect(a->address(), 6);
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

TEST_P(Connections, ToWhatIsNoAddressAreRefusedOrFail) {
  const auto a = endpoint();
  for (const std::string& address : {std::string(), std::string("nonsense"), std::string(512, '\xff')}) {
    const duet_connect_request request{.struct_size = sizeof(request),
                                       .reserved = 0,
                                       .session = 1,
                                       .address = address.data(),
                                       .address_bytes = address.size(),
                                       .deadline_ns = in(kSecond),
                                       .peer = "rank 9",
                                       .ticket = nullptr,
                                       .ticket_bytes = 0};
    duet_connection* connection = nullptr;
    duet_error error{};
    const duet_status status = table_.connect(a->get(), &request, &connection, &error);
    if (status == DUET_OK) {
      ASSERT_TRUE(turn({a.get()}, [&] { return a->state(connection, &error) == DUET_CONNECTION_FAILED; }));
      EXPECT_THAT(std::string(error.text), HasSubstr("rank 9"));
      a->close(connection);
    } else {
      EXPECT_EQ(error.status, status);
    }
    EXPECT_NE(error.status, DUET_OK);
    EXPECT_THAT(std::string(error.text), Not(IsEmpty()));
  }
}

TEST_P(Connections, ToAContextThatIsGoneFailAndNameThePeer) {
  const auto a = endpoint();
  std::string address, ticket;
  {
    const auto b = endpoint();
    address = b->address();
    ticket = Endpoint::ticket_for(address, 1);
  }
  const std::uint64_t deadline = in(kSecond);
  const duet_connect_request request{.struct_size = sizeof(request),
                                     .reserved = 0,
                                     .session = 1,
                                     .address = address.data(),
                                     .address_bytes = address.size(),
                                     .deadline_ns = deadline,
                                     .peer = "rank 9",
                                     .ticket = ticket.empty() ? nullptr : ticket.data(),
                                     .ticket_bytes = ticket.size()};
  duet_connection* connection = nullptr;
  duet_error error{};
  if (table_.connect(a->get(), &request, &connection, &error) == DUET_OK) {
    ASSERT_TRUE(turn({a.get()}, [&] { return a->state(connection, &error) == DUET_CONNECTION_FAILED; }));
  }
  EXPECT_TRUE(error.status == DUET_PEER_LOST || error.status == DUET_TIMED_OUT) << error.status;
  EXPECT_THAT(std::string(error.text), HasSubstr("rank 9"));
}

TEST_P(Connections, ThatFailedRefuseOperationsWithTheReason) {
  const auto a = endpoint(), b = endpoint();
  duet_connection* const ab = a->connect(b->address(), 1, in(50 * kMillisecond), "rank 3");
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

TEST_P(Connections, LeaveNoDescriptorsBehindAfterAThousand) {
  const auto a = endpoint(), b = endpoint();
  const auto once = [&](std::uint64_t session) {
    duet_connection* const ab = a->connect(b->address(), session);
    duet_connection* const ba = b->accept(session);
    const std::uint64_t out = session;
    std::uint64_t back = 0;
    a->send(ab, &out, sizeof(out), in(kPatience));
    b->receive(ba, &back, sizeof(back), in(kPatience));
    ASSERT_TRUE(turn({a.get(), b.get()}, [&] { return a->in_flight() + b->in_flight() == 0; }));
    ASSERT_EQ(back, session);
    a->close(ab);
    b->close(ba);
  };
  // The first few may open what is then kept.
  for (std::uint64_t session = 1; session <= 10; ++session)
    ASSERT_NO_FATAL_FAILURE(once(session));
  const std::size_t before = open_descriptors();
  for (std::uint64_t session = 11; session <= 1010; ++session)
    ASSERT_NO_FATAL_FAILURE(once(session));
  for (int i = 0; i < 10; ++i)
    turn(
        {a.get(), b.get()}, [] { return false; }, 10 * kMillisecond);
  EXPECT_LE(open_descriptors(), before + 4);
}

TEST_P(Connections, OfContextsThatComeAndGoLeaveNoDescriptorsBehind) {
  const auto once = [&](std::uint64_t session) {
    Pair pair = joined(session);
    char byte = 1;
    pair.b->receive(pair.ba, &byte, 1);
  };
  for (std::uint64_t session = 1; session <= 3; ++session)
    once(session);
  const std::size_t before = open_descriptors();
  for (std::uint64_t session = 4; session <= 33; ++session)
    once(session);
  EXPECT_LE(open_descriptors(), before + 4);
}

DUET_CONTRACT_SUITE(Connections);

}  // namespace
}  // namespace duet::contract
