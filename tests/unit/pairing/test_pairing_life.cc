#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "bench.h"
#include "duet/error.h"
#include "pairing/pairing.h"

/// Neighbours that go and come, finishing, stopping, and what a machine tells of itself meanwhile.
namespace duet::pairing {
namespace {

using enum MessageKind;

TEST(PairingLife, LetsGoOfAPeerThatIsGone) {
  Bench offering(between_3_and_8());
  offering.hear(0.0, 3, kAvailable);
  offering.sent();
  offering.machine.on_peer_gone(0.1, 3);
  offering.hear(0.2, 8, kOffer, 77, 1);
  EXPECT_EQ(offering.sent(kAccept).size(), 1u);

  offering.machine.on_peer_gone(0.3, 8);
  EXPECT_EQ(offering.machine.next_timer(), offering.machine.next_timer());
  offering.machine.on_peer_up(0.4, 8);
  offering.hear(0.5, 8, kOffer, 78, 1);
  EXPECT_EQ(offering.sent(kAccept).size(), 1u);
  offering.hear(0.6, 8, kStart, 78);
  EXPECT_TRUE(offering.machine.in_meeting());
  offering.machine.on_meeting_began(0.6);
  offering.machine.on_peer_gone(0.7, 8);
  EXPECT_FALSE(offering.machine.in_meeting());
  offering.machine.on_meeting_ended(0.8, false);  // the worker may say so, too
  EXPECT_FALSE(offering.machine.in_meeting());
}

TEST(PairingLife, TellsAPeerThatCameBack) {
  Bench bench(between_3_and_8());
  bench.machine.on_peer_up(0.0, 3);
  bench.machine.on_peer_up(0.0, 8);
  EXPECT_EQ(bench.sent(kAvailable).size(), 2u) << "the first up only confirms: told once";
  bench.machine.on_peer_up(0.1, 8);  // a new incarnation knows nothing
  const auto told = bench.sent(kAvailable);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].peer, 8);
}

TEST(PairingLife, ConfirmingAPeerDoesNotDisturbAMeeting) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 8, kOffer, 77, 1);
  bench.machine.on_peer_up(0.1, 8);
  bench.hear(0.2, 8, kStart, 77);
  EXPECT_EQ(bench.machine.partner(), 8);
  bench.machine.on_peer_up(0.3, 8);
  EXPECT_EQ(bench.machine.partner(), -1) << "a new incarnation is not in my meeting";
}

TEST(PairingLife, WhenFinishedItAcceptsButDoesNotOffer) {
  Config config = between_3_and_8();
  config.unlimited_budget = false;
  Bench bench(config);
  bench.machine.finish(0.0);
  EXPECT_EQ(bench.sent(kDone).size(), 2u);
  EXPECT_EQ(bench.machine.budget(), 0.0);
  bench.hear(0.1, 3, kAvailable);
  bench.machine.on_step(0.2);
  EXPECT_TRUE(bench.sent(kOffer).empty());
  bench.meet(1.0, 8, 77, 0.1);
  EXPECT_EQ(bench.sent(kAccept).size(), 1u);
  EXPECT_EQ(bench.begins.size(), 1u);
}

TEST(PairingLife, WhenFinishedTellsThoseItDeclined) {
  Bench bench(between_3_and_8());
  bench.machine.finish(0.0);
  bench.sent();
  bench.hear(0.1, 3, kOffer, 77, 1);
  bench.hear(0.1, 3, kStart, 77);
  bench.hear(0.2, 8, kOffer, 78, 1);
  EXPECT_EQ(bench.sent(kDecline).size(), 1u);
  bench.machine.on_meeting_ended(0.3, true);
  const auto told = bench.sent();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].peer, 8);
  EXPECT_EQ(told[0].message.kind, kDone);
}

TEST(PairingLife, WhenStoppedItLetsGoOfEverythingButItsMeeting) {
  Bench accepted(between_3_and_8());
  accepted.hear(0.0, 3, kOffer, 77, 1);
  accepted.machine.stop(0.1);
  EXPECT_EQ(accepted.sent(kUnavailable).size(), 2u);
  accepted.hear(0.2, 3, kStart, 77);
  EXPECT_FALSE(accepted.machine.in_meeting());

  Bench offering(between_3_and_8());
  offering.hear(0.0, 3, kAvailable);
  const auto offers = offering.sent(kOffer);
  offering.machine.stop(0.1);
  offering.sent();
  offering.hear(0.2, 3, kAccept, offers.at(0).message.meeting);
  EXPECT_EQ(offering.sent(kWithdrawn).size(), 1u);
  EXPECT_FALSE(offering.machine.in_meeting());

  Bench meeting(between_3_and_8());
  meeting.hear(0.0, 3, kOffer, 77, 1);
  meeting.hear(0.0, 3, kStart, 77);
  meeting.machine.stop(0.1);
  EXPECT_TRUE(meeting.machine.in_meeting());
  meeting.machine.on_meeting_ended(0.2, true);
  EXPECT_FALSE(meeting.machine.in_meeting());
  EXPECT_EQ(meeting.machine.next_timer(), std::numeric_limits<double>::infinity());
}

TEST(PairingLife, RepeatsItsAnnouncementsOnceASecond) {
  Bench bench(between_3_and_8());
  bench.machine.on_timer(0.0);
  EXPECT_EQ(bench.sent(kAvailable).size(), 2u);
  EXPECT_EQ(bench.machine.next_timer(), 1.0);
  bench.machine.on_timer(0.5);
  EXPECT_TRUE(bench.sent().empty());
  bench.machine.on_timer(1.0);
  EXPECT_EQ(bench.sent(kAvailable).size(), 2u);
}

TEST(PairingLife, TellsWhomItDeclinedWhenItIsFree) {
  Bench bench(between_3_and_8());
  bench.machine.on_timer(0.0);
  bench.hear(0.0, 3, kOffer, 77, 1);
  bench.hear(0.0, 3, kStart, 77);
  bench.machine.on_meeting_began(0.0);
  bench.hear(0.1, 8, kOffer, 78, 1);
  EXPECT_EQ(bench.sent(kDecline).size(), 1u);
  bench.machine.on_meeting_ended(0.2, true);
  const auto sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u) << "to 8, which waits; nothing to 3, which knows";
  EXPECT_EQ(sent[0].peer, 8);
  EXPECT_EQ(sent[0].message.kind, kOffer);
}

TEST(PairingLife, LeavesAPeerAloneAfterAMeetingThatBroke) {
  Bench bench(between_3_and_8());
  double now = 0.0, longest = 0.0;
  for (int k = 0; k < 12; ++k) {
    const std::uint64_t meeting = 100 + static_cast<std::uint64_t>(k);
    bench.hear(now, 3, kOffer, meeting, 1);
    bench.hear(now, 3, kStart, meeting);
    ASSERT_EQ(bench.machine.partner(), 3) << "attempt " << k;
    bench.machine.on_meeting_ended(now, false);
    bench.sent();
    bench.hear(now, 3, kOffer, meeting + 1000, 1);
    const auto answers = bench.sent(kDecline);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].message.reason, DeclineReason::kJustMet);
    const double from = now;
    for (bool told = false; !told;) {
      now = bench.machine.next_timer();
      ASSERT_LT(now, from + 10.0);
      bench.machine.on_timer(now);
      for (const Send& send : bench.sent()) {
        if (send.peer != 3) continue;
        told = true;
        EXPECT_EQ(send.message.kind, kOffer) << "it had offered, so it is available";
        bench.hear(now, 3, kDecline, send.message.meeting, 0, DeclineReason::kNoBudget);
        bench.sent();
      }
    }
    longest = std::max(longest, now - from);
    if (k == 0) {
      EXPECT_LE(now - from, 0.05);
    }
  }
  EXPECT_GT(longest, 2.0);
  EXPECT_LE(longest, 5.0);
}

TEST(PairingLife, TakesOtherNeighboursWhenTheGraphIsRepaired) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 8, kOffer, 77, 1);
  bench.hear(0.0, 8, kStart, 77);
  bench.sent();
  bench.machine.set_neighbours(0.1, {{2, 0.5}, {8, 0.5}});
  EXPECT_EQ(bench.machine.partner(), 8) << "still a neighbour: the meeting goes on";
  bench.machine.on_meeting_ended(0.2, true);
  bench.decline_offers(0.2);
  bench.hear(0.3, 3, kOffer, 78, 1);
  EXPECT_TRUE(bench.sent().empty()) << "not a neighbour any more";
  bench.hear(0.4, 2, kOffer, 79, 1);
  EXPECT_EQ(bench.sent(kAccept).size(), 1u);
  bench.hear(0.4, 2, kStart, 79);
  bench.machine.set_neighbours(0.5, {{8, 1.0}});
  EXPECT_FALSE(bench.machine.in_meeting());
  EXPECT_THROW(bench.machine.set_neighbours(0.6, {{5, 1.0}}), ConfigurationError);
}

TEST(PairingLife, CountsTheTimeItWaitsWithBudget) {
  Config config = between_3_and_8();
  config.unlimited_budget = false;
  config.deterministic_budget = true;
  Bench bench(config);
  EXPECT_EQ(bench.machine.waited(5.0), 0.0);
  bench.machine.on_step(10.0);
  EXPECT_NEAR(bench.machine.waited(12.0), 2.0, 1e-12);
  bench.hear(13.0, 3, kOffer, 77, 1);
  bench.hear(14.0, 3, kStart, 77);
  bench.machine.on_meeting_began(14.0);
  EXPECT_NEAR(bench.machine.waited(20.0), 4.0, 1e-12);
  bench.machine.on_meeting_ended(21.0, true);
  EXPECT_NEAR(bench.machine.waited(30.0), 4.0, 1e-12) << "the budget is spent";
}

}  // namespace
}  // namespace duet::pairing
