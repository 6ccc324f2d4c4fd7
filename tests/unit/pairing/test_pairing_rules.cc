#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bench.h"
#include "duet/error.h"
#include "pairing/pairing.h"

namespace duet::pairing {
namespace {

using enum MessageKind;

TEST(PairingSetup, RefusesWhatCannotBe) {
  const auto refused = [](auto change, const char* text) {
    Config config = between_3_and_8();
    change(config);
    try {
      Pairing pairing(config);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const ConfigurationError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(text));
    }
  };
  refused([](Config& c) { c.neighbours.push_back({5, 1.0}); }, "neighbour 5 is the worker itself");
  refused([](Config& c) { c.neighbours.push_back({3, 1.0}); }, "neighbour 3 is listed twice");
  refused([](Config& c) { c.neighbours.push_back({4, 0.0}); }, "neighbour 4 has rate 0");
  refused([](Config& c) { c.neighbours.push_back({4, std::nan("")}); }, "neighbour 4 has rate nan");
  refused([](Config& c) { c.offer_timeout = 0.0; }, "offer_timeout");
  refused([](Config& c) { c.start_timeout = -1.0; }, "start_timeout");
  refused([](Config& c) { c.announce_interval = 0.0; }, "announce_interval");
  refused([](Config& c) { c.policy = "random"; }, "Known: holdoff");
  refused([](Config& c) { c.policy = "memoryless"; }, "for simulations only");
  refused(
      [](Config& c) {
        c.policy = "memoryless";
        c.simulation = true;
      },
      "unlimited budget");
}

TEST(PairingSetup, AloneItDoesNothing) {
  Config config;
  config.unlimited_budget = true;
  Bench alone(config);
  alone.machine.on_timer(0.0);
  alone.machine.on_step(1.0);
  EXPECT_TRUE(alone.sent().empty());
  EXPECT_FALSE(alone.machine.in_meeting());
}

TEST(PairingRules, TellsItsNeighboursWhenItHasBudget) {
  Config config = between_3_and_8();
  config.unlimited_budget = false;
  config.deterministic_budget = true;
  Bench bench(config);
  bench.machine.on_timer(0.0);
  EXPECT_TRUE(bench.sent().empty()) << "no budget yet";
  bench.machine.on_step(1.0);
  EXPECT_THAT(bench.sent(),
              testing::UnorderedElementsAre(testing::Field(&Send::peer, 3), testing::Field(&Send::peer, 8)));
}

TEST(PairingRules, MeetsWithThreeMessages) {
  Bench lower(between_3_and_8());
  Config config;
  config.self = 8;
  config.neighbours = {{5, 0.5}, {9, 0.5}};
  config.unlimited_budget = true;
  Bench upper(config);
  lower.machine.on_timer(0.0);
  lower.sent();
  upper.machine.on_timer(0.0);
  upper.sent();

  lower.hear(0.1, 8, kAvailable);
  const auto offers = lower.sent(kOffer);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].peer, 8);
  EXPECT_NE(offers[0].message.meeting, 0u);
  EXPECT_FALSE(lower.machine.in_meeting());

  upper.machine.on_message(0.2, 5, offers[0].message);
  const auto accepts = upper.sent();
  ASSERT_EQ(accepts.size(), 1u);
  EXPECT_EQ(accepts[0].message.kind, kAccept);
  EXPECT_TRUE(upper.begins.empty()) << "it has not heard that its accept arrived";

  lower.machine.on_message(0.3, 8, accepts[0].message);
  const auto starts = lower.sent();
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].message.kind, kStart);
  upper.machine.on_message(0.4, 5, starts[0].message);
  EXPECT_TRUE(upper.sent().empty());

  ASSERT_EQ(lower.begins.size(), 1u);
  ASSERT_EQ(upper.begins.size(), 1u);
  EXPECT_TRUE(lower.begins[0].offerer);
  EXPECT_FALSE(upper.begins[0].offerer);
  EXPECT_EQ(lower.begins[0].meeting, upper.begins[0].meeting);
  EXPECT_EQ(lower.begins[0].token, upper.begins[0].token);
  EXPECT_EQ(lower.machine.partner(), 8);
  EXPECT_EQ(upper.machine.partner(), 5);
}

TEST(PairingRules, BothSpendBudgetAtTheFirstBlock) {
  Config config = between_3_and_8();
  config.unlimited_budget = false;
  config.deterministic_budget = true;
  Bench bench(config);
  bench.machine.on_step(0.0);
  bench.machine.on_step(1.0);
  ASSERT_EQ(bench.machine.budget(), 2.0);
  bench.hear(1.1, 3, kOffer, 77, 1);
  EXPECT_EQ(bench.machine.budget(), 2.0);
  bench.hear(1.2, 3, kStart, 77);
  EXPECT_EQ(bench.machine.budget(), 2.0);
  bench.machine.on_meeting_began(1.3);
  EXPECT_EQ(bench.machine.budget(), 1.0);
  bench.machine.on_meeting_began(1.3);
  EXPECT_EQ(bench.machine.budget(), 1.0) << "once per meeting";
  bench.machine.on_meeting_ended(1.5, true);
  EXPECT_EQ(bench.machine.budget(), 1.0);
  EXPECT_NEAR(bench.machine.mean_meeting_duration(), 0.2, 1e-12);
}

TEST(PairingRules, AMeetingThatNeverBeganCostsNothing) {
  Config config = between_3_and_8();
  config.unlimited_budget = false;
  config.deterministic_budget = true;
  Bench bench(config);
  bench.machine.on_step(0.0);
  bench.hear(0.1, 3, kOffer, 77, 1);
  bench.hear(0.2, 3, kStart, 77);
  bench.machine.on_meeting_ended(5.0, false);
  EXPECT_EQ(bench.machine.budget(), 1.0);
  EXPECT_FALSE(bench.machine.in_meeting());
  EXPECT_EQ(bench.machine.mean_meeting_duration(), 0.0);
}

TEST(PairingRules, WithAnOfferOutDeclinesAnother) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 8, kAvailable);
  ASSERT_EQ(bench.sent(kOffer).size(), 1u);
  bench.hear(0.1, 3, kOffer, 77, 1);
  const auto answers = bench.sent();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].peer, 3);
  EXPECT_EQ(answers[0].message, (Message{.kind = kDecline, .meeting = 77, .reason = DeclineReason::kBusy}));
}

TEST(PairingRules, OfCrossedOffersTheLowerRanksStands) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 8, kAvailable);
  const auto mine = bench.sent(kOffer);
  ASSERT_EQ(mine.size(), 1u);
  bench.hear(0.1, 8, kOffer, 77, 1);  // the higher one's: it will answer mine
  EXPECT_TRUE(bench.sent().empty());
  bench.hear(0.2, 8, kAccept, mine[0].message.meeting);
  EXPECT_EQ(bench.sent(kStart).size(), 1u);
  EXPECT_EQ(bench.begins.size(), 1u);

  Bench other(between_3_and_8());
  other.hear(0.0, 3, kAvailable);
  const auto dropped = other.sent(kOffer);
  ASSERT_EQ(dropped.size(), 1u);
  other.hear(0.1, 3, kOffer, 78, 2);  // the lower one's: mine is dropped
  const auto answers = other.sent();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].message, (Message{.kind = kAccept, .meeting = 78}));
  other.hear(0.2, 3, kAccept, dropped[0].message.meeting);  // should it have been taken all the same
  EXPECT_EQ(other.sent(kWithdrawn).size(), 1u);
  other.hear(0.3, 3, kStart, 78);
  other.sent();
  ASSERT_EQ(other.begins.size(), 1u);
  EXPECT_EQ(other.begins[0].meeting, 78u);
}

TEST(PairingRules, DeclinesWithTheReason) {
  Config config = between_3_and_8();
  config.unlimited_budget = false;
  Bench poor(config);
  poor.hear(0.0, 3, kOffer, 77, 1);
  auto answers = poor.sent(kDecline);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].message.reason, DeclineReason::kNoBudget);

  Bench stopped(between_3_and_8());
  stopped.machine.stop(0.0);
  stopped.hear(0.1, 3, kOffer, 77, 1);
  answers = stopped.sent(kDecline);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].message.reason, DeclineReason::kStopped);

  Bench busy(between_3_and_8());
  busy.hear(0.0, 3, kOffer, 77, 1);
  busy.hear(0.0, 8, kOffer, 78, 1);
  answers = busy.sent(kDecline);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].message.reason, DeclineReason::kBusy);
}

TEST(PairingRules, ADeclinedOfferGoesToTheNextNeighbour) {
  for (const DeclineReason reason :
       {DeclineReason::kBusy, DeclineReason::kNoBudget, DeclineReason::kJustMet}) {
    Bench bench(between_3_and_8());
    bench.hear(0.0, 3, kAvailable);
    auto offers = bench.sent(kOffer);
    ASSERT_EQ(offers.size(), 1u);
    bench.hear(0.0, 8, kAvailable);
    EXPECT_TRUE(bench.sent(kOffer).empty()) << "one at a time";
    bench.hear(0.001, 3, kDecline, offers[0].message.meeting, 0, reason);
    // A "busy" may be mutual, so the next offer comes after a random back-off.
    if (reason == DeclineReason::kBusy) bench.machine.on_timer(bench.machine.next_timer());
    offers = bench.sent(kOffer);
    ASSERT_EQ(offers.size(), 1u);
    EXPECT_EQ(offers[0].peer, 8);
  }
}

TEST(PairingRules, TheBackOffIsShortAndAcceptsOffers) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 3, kAvailable);
  bench.hear(0.0, 8, kAvailable);
  auto offers = bench.sent(kOffer);
  ASSERT_EQ(offers.size(), 1u);
  const int declined = offers[0].peer, other = declined == 3 ? 8 : 3;
  bench.hear(0.001, declined, kDecline, offers[0].message.meeting, 0, DeclineReason::kBusy);
  EXPECT_TRUE(bench.sent().empty());
  EXPECT_GT(bench.machine.next_timer(), 0.001);
  EXPECT_LE(bench.machine.next_timer(), 0.001 + 0.001) << "at most what an answer takes, the first time";
  bench.hear(0.001, other, kOffer, 77, 1);
  EXPECT_EQ(bench.sent(kAccept).size(), 1u);
}

TEST(PairingRules, TheBackOffDiffersBetweenWorkers) {
  std::vector<double> times;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Config config = between_3_and_8();
    config.seed = seed;
    Bench bench(config);
    bench.hear(0.0, 3, kAvailable);
    bench.hear(0.0, 8, kAvailable);
    const auto offers = bench.sent(kOffer);
    bench.hear(0.01, offers[0].peer, kDecline, offers[0].message.meeting, 0, DeclineReason::kBusy);
    for (const double time : times)
      EXPECT_NE(time, bench.machine.next_timer());
    times.push_back(bench.machine.next_timer());
  }
}

TEST(PairingRules, GivesUpAnOfferThatIsNotAnswered) {
  Config config = between_3_and_8();
  config.offer_timeout = 0.5;
  Bench bench(config);
  bench.hear(0.0, 3, kAvailable);
  const auto offers = bench.sent(kOffer);
  ASSERT_EQ(offers.size(), 1u);
  bench.hear(0.1, 8, kAvailable);
  EXPECT_EQ(bench.machine.next_timer(), 0.5);
  bench.machine.on_timer(0.5);
  EXPECT_TRUE(bench.sent(kOffer).empty());
  bench.machine.on_timer(bench.machine.next_timer());
  const auto next = bench.sent(kOffer);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].peer, 8);
  // The answer comes after all: its sender must not wait for a start.
  bench.hear(0.6, 3, kAccept, offers[0].message.meeting);
  const auto answers = bench.sent();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].message, (Message{.kind = kWithdrawn, .meeting = offers[0].message.meeting}));
  EXPECT_TRUE(bench.begins.empty());
}

TEST(PairingRules, LetsGoOfAnAcceptThatCameTooLate) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 3, kOffer, 77, 1);
  ASSERT_EQ(bench.sent(kAccept).size(), 1u);
  bench.hear(0.1, 3, kWithdrawn, 76);
  bench.hear(0.1, 8, kWithdrawn, 77);
  bench.hear(0.1, 8, kOffer, 78, 1);
  EXPECT_EQ(bench.sent(kDecline).size(), 1u) << "neither was about the accept that waits";
  bench.hear(0.2, 3, kWithdrawn, 77);
  bench.hear(0.3, 3, kStart, 77);
  bench.sent();
  EXPECT_TRUE(bench.begins.empty());
  EXPECT_FALSE(bench.machine.in_meeting());
}

TEST(PairingRules, LetsGoOfAnAcceptWithoutAStart) {
  Config config = between_3_and_8();
  config.start_timeout = 1.0;
  Bench bench(config);
  bench.hear(0.0, 3, kOffer, 77, 1);
  EXPECT_EQ(bench.machine.next_timer(), 1.0);
  bench.machine.on_timer(1.0);
  bench.sent();
  bench.hear(1.1, 3, kStart, 77);
  EXPECT_FALSE(bench.machine.in_meeting()) << "too late: the other's exchange fails by itself";
}

TEST(PairingRules, ANewOfferOfTheSameWorkerReplacesTheOneAccepted) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 3, kOffer, 77, 1);
  bench.hear(0.1, 3, kOffer, 78, 2);
  auto accepts = bench.sent(kAccept);
  ASSERT_EQ(accepts.size(), 2u);
  bench.hear(0.2, 3, kOffer, 76, 3);  // delayed
  EXPECT_TRUE(bench.sent().empty());
  bench.hear(0.3, 3, kStart, 78);
  bench.sent();
  ASSERT_EQ(bench.begins.size(), 1u);
  EXPECT_EQ(bench.begins[0].token, 2u);
}

TEST(PairingRules, DuplicatesChangeNothing) {
  Bench bench(between_3_and_8());
  bench.hear(0.0, 8, kAvailable);
  const auto offers = bench.sent(kOffer);
  const std::uint64_t meeting = offers.at(0).message.meeting;
  bench.hear(0.1, 8, kAccept, meeting);
  ASSERT_EQ(bench.sent(kStart).size(), 1u);
  bench.hear(0.1, 8, kAccept, meeting);
  EXPECT_EQ(bench.sent(kStart).size(), 1u) << "perhaps the first was lost";
  bench.hear(0.1, 8, kDecline, meeting, 0, DeclineReason::kBusy);
  bench.hear(0.1, 8, kWithdrawn, meeting);
  bench.hear(0.1, 8, kStart, meeting);
  EXPECT_TRUE(bench.sent().empty());
  EXPECT_EQ(bench.begins.size(), 1u);
  EXPECT_EQ(bench.machine.partner(), 8);
  bench.machine.on_meeting_began(0.2);
  bench.machine.on_meeting_ended(0.3, true);
  bench.decline_offers(0.3);
  bench.hear(0.4, 8, kAccept, meeting);
  EXPECT_EQ(bench.sent(kWithdrawn).size(), 1u) << "that meeting is over";

  bench.hear(0.5, 3, kOffer, 77, 1);
  bench.hear(0.5, 3, kOffer, 77, 1);
  EXPECT_EQ(bench.sent(kAccept).size(), 1u);
  bench.hear(0.6, 3, kStart, 77);
  bench.hear(0.6, 3, kStart, 77);
  bench.hear(0.6, 3, kOffer, 77, 1);
  EXPECT_TRUE(bench.sent().empty());
  EXPECT_EQ(bench.begins.size(), 2u);
}

TEST(PairingRules, HearsNobodyButItsNeighbours) {
  Bench bench(between_3_and_8());
  bench.machine.on_peer_gone(0.0, 3);
  bench.hear(0.1, 3, kOffer, 77, 1);
  bench.hear(0.1, 4, kOffer, 78, 1);
  bench.hear(0.1, 5, kOffer, 79, 1);
  for (const Send& send : bench.sent())
    EXPECT_EQ(send.peer, 8);
}

}  // namespace
}  // namespace duet::pairing
