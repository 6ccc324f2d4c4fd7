#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/ticketed/ticketed.h"
#include "transport/fault_injection.h"
#include "transport/transport.h"

namespace duet::transport {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t in(std::uint64_t nanoseconds) {
  return now_ns() + nanoseconds;
}

/// Sessions are never used twice, also not by another test of this process.
std::uint64_t new_session() {
  static std::uint64_t last = 1000;
  return ++last;
}

class Tickets : public ::testing::TestWithParam<const char*> {
 protected:
  Tickets() {
    auto transport = std::make_shared<const Transport>(testing::ticketed_transport(), "test");
    if (std::string(GetParam()) != "bare") transport = inject_faults(transport, Faults{});
    a_ = std::make_unique<Context>(transport, Settings{});
    b_ = std::make_unique<Context>(transport, Settings{});
  }
  /// Sends one message from a to b; what came of it at b.
  duet_status exchange(Connection& from, Connection& to) {
    int out = 42, got = 0;
    duet_status sent = -1, received = -1;
    EXPECT_TRUE(
        from.send(&out, sizeof out, in(kSecond), [&](duet_status status, std::uint64_t) { sent = status; }));
    EXPECT_TRUE(to.receive(&got, sizeof got, in(kSecond),
                           [&](duet_status status, std::uint64_t) { received = status; }));
    for (const auto limit = in(10 * kSecond); (sent == -1 || received == -1) && now_ns() < limit;) {
      a_->poll(0);
      b_->poll(0);
    }
    EXPECT_TRUE(received != DUET_OK || got == 42);
    return received;
  }
  std::unique_ptr<Context> a_, b_;
};

TEST_P(Tickets, ConnectBothSidesWhenBothHoldThem) {
  ASSERT_TRUE(a_->needs_tickets());
  const std::uint64_t session = new_session();
  const std::string ticket = b_->make_ticket(session);
  const auto ab = a_->connect("rank 1", session, b_->address(), in(kSecond), ticket);
  const auto ba = b_->accept("rank 0", session, in(kSecond), ticket);
  EXPECT_EQ(exchange(*ab, *ba), DUET_OK);
}

TEST_P(Tickets, ThatAreMissingOrAnotherSessionsMakeTheConnectionFailWithTheReason) {
  const std::uint64_t session = new_session(), other = new_session();
  const std::string ticket = b_->make_ticket(session);
  const std::string others = b_->make_ticket(other);
  for (const std::string& wrong : {std::string(), others, ticket + "x", ticket.substr(1)}) {
    const auto ab = a_->connect("rank 1", session, b_->address(), in(kSecond), wrong);
    EXPECT_EQ(ab->state(), Connection::State::kFailed);
    EXPECT_THAT(ab->error(), HasSubstr("this session's ticket"));
    EXPECT_THAT(ab->error(), HasSubstr("rank 1"));
    const auto ba = b_->accept("rank 0", session, in(kSecond), wrong);
    EXPECT_EQ(ba->state(), Connection::State::kFailed);
  }
}

TEST_P(Tickets, ThatTheTransportDoesNotGiveAreAnError) {
  for (const auto& [session, what] :
       {std::pair{testing::kNoTicket, "out of paper"}, std::pair{testing::kEndlessTicket, "1000 bytes"}}) {
    try {
      a_->make_ticket(session);
      FAIL() << "a ticket was made";
    } catch (const TransportError& error) {
      EXPECT_THAT(error.what(), HasSubstr(what));
      EXPECT_THAT(error.what(), HasSubstr("ticketed"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, Tickets, ::testing::Values("bare", "decorated"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(NoTickets, AreAskedForByTheInProcessTransportWhichIgnoresThem) {
  for (const char* faults : {"", "delay=0.0001"}) {
    const auto transport = load_transport("inproc", {}, faults);
    Context a(transport, {}), b(transport, {});
    EXPECT_FALSE(a.needs_tickets());
    const auto ab = a.connect("rank 1", 1, b.address(), in(kSecond), "a ticket that nobody reads");
    const auto ba = b.accept("rank 0", 1, in(kSecond), "another");
    for (const auto limit = in(10 * kSecond);
         ab->state() == Connection::State::kPending && now_ns() < limit;) {
      a.poll(0);
      b.poll(0);
    }
    EXPECT_EQ(ab->state(), Connection::State::kReady);
  }
}

}  // namespace
}  // namespace duet::transport
