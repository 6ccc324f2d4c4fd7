#include "worker/ticket_desk.h"

#include <gtest/gtest.h>

#include <limits>

namespace duet::worker {
namespace {

using control::Ticket;
using control::TicketRequest;

/// The only message, of type Body.
template <typename Body>
Body only(TicketDesk& desk, int to) {
  const auto outgoing = desk.take_outgoing();
  EXPECT_EQ(outgoing.size(), 1u);
  if (outgoing.size() != 1) return {};
  EXPECT_EQ(outgoing[0].to, to);
  EXPECT_TRUE(std::holds_alternative<Body>(outgoing[0].body));
  return std::get<Body>(outgoing[0].body);
}

TEST(TicketDesk, ParentTellsAtOnceAndAgainWheneverItIsAsked) {
  TicketDesk parent;
  parent.issue(3, 77, "blue");
  EXPECT_EQ(only<Ticket>(parent, 3), (Ticket{77, "blue"}));
  EXPECT_TRUE(parent.take_outgoing().empty());
  for (int i = 0; i < 2; ++i) {
    parent.on_request(3, {77});
    EXPECT_EQ(only<Ticket>(parent, 3), (Ticket{77, "blue"}));
  }
}

TEST(TicketDesk, ParentTellsNobodyElseAndNothingOfAnotherSession) {
  TicketDesk parent;
  parent.issue(3, 77, "blue");
  parent.take_outgoing();
  parent.on_request(4, {77});
  parent.on_request(3, {78});
  EXPECT_TRUE(parent.take_outgoing().empty());
  parent.reset();
  parent.on_request(3, {77});
  EXPECT_TRUE(parent.take_outgoing().empty());
}

TEST(TicketDesk, ChildAsksUntilItHasTheTicket) {
  TicketDesk child;
  child.await(100.0, 1, 77, 130.0);
  EXPECT_EQ(only<TicketRequest>(child, 1).session, 77u);
  child.advance(100.1);
  EXPECT_TRUE(child.take_outgoing().empty());
  // Lost messages: it asks again, never in a burst.
  double now = 100.0;
  int asked = 0;
  while (now < 110.0) {
    now = child.next_deadline();
    child.advance(now);
    asked += static_cast<int>(child.take_outgoing().size());
  }
  EXPECT_GE(asked, 20);
  EXPECT_LE(asked, 100);
  ASSERT_TRUE(child.awaiting());
  EXPECT_EQ(child.on_ticket(1, {77, "blue"}), "blue");
  EXPECT_FALSE(child.awaiting());
  EXPECT_EQ(child.next_deadline(), std::numeric_limits<double>::infinity());
  child.advance(now + 10.0);
  EXPECT_TRUE(child.take_outgoing().empty());
  EXPECT_FALSE(child.on_ticket(1, {77, "blue"}).has_value()) << "a second copy is nothing new";
}

TEST(TicketDesk, ChildTakesNoOtherTicket) {
  TicketDesk child;
  EXPECT_FALSE(child.on_ticket(1, {77, "blue"}).has_value()) << "nobody waits";
  child.await(100.0, 1, 77, 130.0);
  EXPECT_FALSE(child.on_ticket(2, {77, "red"}).has_value());
  EXPECT_FALSE(child.on_ticket(1, {76, "red"}).has_value());
  EXPECT_TRUE(child.awaiting());
}

TEST(TicketDesk, ChildGivesUpAtItsDeadline) {
  TicketDesk child;
  child.await(100.0, 1, 77, 100.3);
  child.take_outgoing();
  EXPECT_FALSE(child.given_up(100.29));
  EXPECT_TRUE(child.given_up(100.3));
  EXPECT_EQ(child.parent(), 1);
  child.advance(100.3);
  EXPECT_TRUE(child.take_outgoing().empty());
  child.reset();
  EXPECT_FALSE(child.given_up(200.0));
}

}  // namespace
}  // namespace duet::worker
