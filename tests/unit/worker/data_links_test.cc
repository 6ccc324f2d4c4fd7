#include "worker/data_links.h"

#include <gtest/gtest.h>

#include <memory>

#include "support/ticketed/ticketed.h"

namespace duet::worker {
namespace {

using transport::Connection;
using transport::Context;

std::uint64_t in_seconds(double seconds) {
  return transport::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
}

/// Two workers that know each other.
class DataLinksTest : public ::testing::TestWithParam<bool> {
 protected:
  DataLinksTest() {
    const auto* table = GetParam() ? testing::ticketed_transport() : inproc();
    const auto transport = std::make_shared<const transport::Transport>(table, "test");
    for (int rank = 0; rank < 2; ++rank) {
      contexts_.push_back(std::make_unique<Context>(transport, transport::Settings{}));
      membership::Entry entry;
      entry.rank = rank;
      entry.transports = {{"test", contexts_.back()->address()}};
      roster_.entries.push_back(entry);
    }
    roster_.transport = "test";
    for (const auto& context : contexts_)
      links_.push_back(std::make_unique<DataLinks>(*context, roster_));
  }
  static const duet_transport* inproc() { return &transport::load_transport("inproc", {})->table(); }

  /// Both sides open `session`; the accepting side's ticket reaches the other, or something else does.
  std::pair<Connection*, Connection*> open(std::uint64_t session, const std::string& accepts,
                                           const std::string& connects) {
    Connection& one = links_[1]->use(0, session, false, in_seconds(5), accepts);
    Connection& two = links_[0]->use(1, session, true, in_seconds(5), connects);
    for (const auto limit = in_seconds(5); one.state() == Connection::State::kPending &&
                                           two.state() != Connection::State::kFailed &&
                                           transport::now_ns() < limit;) {
      for (const auto& context : contexts_)
        context->poll(0);
    }
    return {&two, &one};
  }

  membership::Roster roster_;
  std::vector<std::unique_ptr<Context>> contexts_;
  std::vector<std::unique_ptr<DataLinks>> links_;
};

std::uint64_t new_session() {
  static std::uint64_t last = 5000;
  return ++last;
}

TEST_P(DataLinksTest, OnlyANewSessionCarriesATicket) {
  const std::uint64_t session = new_session();
  EXPECT_EQ(links_[1]->choose(0, 0, session), session);
  const std::string ticket = links_[1]->ticket(0, session);
  EXPECT_EQ(!ticket.empty(), GetParam());
  const auto [a, b] = open(session, ticket, ticket);
  EXPECT_EQ(a->state(), Connection::State::kReady);
  EXPECT_EQ(b->state(), Connection::State::kReady);
  EXPECT_EQ(links_[0]->held(1), session);
  // The next meeting goes on with it.
  EXPECT_EQ(links_[1]->choose(0, session, new_session()), session);
  EXPECT_EQ(links_[1]->ticket(0, session), "");
  EXPECT_EQ(&links_[1]->use(0, session, false, in_seconds(5), {}), b);
}

TEST_P(DataLinksTest, AConnectionThatFailedMeanwhileIsNotHeld) {
  const std::uint64_t session = new_session();
  const std::string ticket = links_[1]->ticket(0, session);
  open(session, ticket, ticket);
  links_[0]->drop(1);
  for (const auto limit = in_seconds(5); links_[1]->held(0) != 0 && transport::now_ns() < limit;) {
    for (const auto& context : contexts_)
      context->poll(1'000'000);
  }
  EXPECT_EQ(links_[1]->held(0), 0u) << "its peer closed it";
  const std::uint64_t token = new_session();
  EXPECT_EQ(links_[1]->choose(0, session, token), token);
  EXPECT_EQ(!links_[1]->ticket(0, token).empty(), GetParam());
}

TEST_P(DataLinksTest, ATicketThatWasLostFailsTheConnection) {
  if (!GetParam()) GTEST_SKIP() << "needs a transport with tickets";
  const std::uint64_t session = new_session();
  const std::string ticket = links_[1]->ticket(0, session);
  const auto [a, b] = open(session, ticket, {});
  EXPECT_EQ(a->state(), Connection::State::kFailed);
  EXPECT_EQ(links_[0]->held(1), 0u);
  EXPECT_EQ(links_[1]->ticket(0, testing::kNoTicket), "") << "refused by the transport: logged, not thrown";
}

INSTANTIATE_TEST_SUITE_P(Transports, DataLinksTest, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "ticketed" : "inproc"; });

}  // namespace
}  // namespace duet::worker
