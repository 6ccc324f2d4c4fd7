#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "bench.h"
#include "pairing/pairing.h"
#include "pairing/policy.h"
#include "simulation/pairing_run.h"

namespace duet::pairing {
namespace {

using enum MessageKind;

Config three_neighbours(const std::string& policy) {
  Config config;
  config.self = 0;
  config.neighbours = {{1, 0.5}, {2, 0.25}, {3, 0.25}};
  config.policy = policy;
  config.unlimited_budget = true;
  return config;
}

/// A worker that has met 1 and 2 by turns every 10 s, for 2 s each, and 1 last, from 90 to 92; its steps take
/// 3 s.
Bench after_meetings(Config config) {
  config.deterministic_budget = true;
  Bench bench(std::move(config));
  std::uint64_t meeting = 100;
  int steps = 0;
  for (int k = 0; k < 10; ++k) {
    const double now = 10.0 * k;
    while (3.0 * steps <= now)
      bench.machine.on_step(3.0 * steps++);
    bench.machine.on_timer(now);
    bench.decline_offers(now);
    bench.meet(now, k % 2 == 0 ? 2 : 1, meeting++, 2.0);
    bench.decline_offers(now + 2.0);
  }
  EXPECT_EQ(bench.begins.size(), 10u);
  return bench;
}

DeclineReason answer(Bench& bench, double now, int peer) {
  static std::uint64_t meeting = 1000;
  bench.sent();
  bench.hear(now, peer, kOffer, ++meeting, 1);
  for (const Send& send : bench.sent()) {
    if (send.message.meeting != meeting) continue;
    if (send.message.kind == kAccept) bench.hear(now, peer, kWithdrawn, meeting);
    bench.decline_offers(now);
    return send.message.reason;
  }
  ADD_FAILURE() << "no answer";
  return DeclineReason::kNone;
}

TEST(HoldOff, IsTheStepTimeByTheRateWhenMeetingsAreShort) {
  Config config = three_neighbours("holdoff");
  config.unlimited_budget = false;
  Bench bench = after_meetings(config);
  EXPECT_NEAR(bench.machine.hold_off(), 3.0, 1e-9) << "interval 10, meeting 2, step 3 at rate 1";
}

TEST(HoldOff, IsTheMeetingsDurationWhenTheyAreLong) {
  Config config = three_neighbours("holdoff");
  config.unlimited_budget = false;
  config.neighbours = {{1, 2.0}, {2, 1.0}, {3, 1.0}};
  Bench bench = after_meetings(config);
  EXPECT_NEAR(bench.machine.hold_off(), 2.0, 1e-9) << "interval 10, meeting 2, step 3 at rate 4";
}

TEST(HoldOff, IsTheIntervalAtMost) {
  Config config = three_neighbours("holdoff");
  config.unlimited_budget = false;
  config.neighbours = {{1, 0.05}, {2, 0.025}, {3, 0.025}};
  Config unlimited = three_neighbours("holdoff");
  Bench bench = after_meetings(unlimited);
  EXPECT_NEAR(bench.machine.hold_off(), 10.0, 1e-9) << "with unlimited budget a step is the interval";
  Pace pace;
  std::vector<Peer> peers;
  for (int k = 0; k < 50; ++k)
    pace.meetings.event(10.0 * k);
  for (int k = 0; k < 50; ++k)
    pace.steps.event(3.0 * k);
  pace.duration.add(2.0);
  const Situation slow{.now = 500.0, .rate = 0.1, .pace = pace, .peers = peers};
  EXPECT_NEAR(hold_off(slow), 10.0, 1e-9) << "step 3 at rate 0.1 is 30";
}

TEST(HoldOff, TheLastPartnerIsDeclinedUntilItHasPassed) {
  Config config = three_neighbours("holdoff");
  config.unlimited_budget = false;
  Bench bench = after_meetings(config);  // met 1 until 92; hold-off 3
  bench.hear(92.5, 2, kAvailable);
  bench.decline_offers(92.5);
  bench.machine.on_step(93.0);
  bench.machine.on_step(94.0);
  EXPECT_EQ(answer(bench, 93.0, 1), DeclineReason::kJustMet);
  EXPECT_EQ(answer(bench, 93.0, 2), DeclineReason::kNone);
  EXPECT_EQ(answer(bench, 94.9, 1), DeclineReason::kJustMet);
  EXPECT_EQ(answer(bench, 95.1, 1), DeclineReason::kNone);
}

TEST(HoldOff, EndsWhenIHaveMetSomeoneElse) {
  Bench bench = after_meetings(three_neighbours("holdoff"));  // hold-off 10
  bench.hear(92.1, 3, kAvailable);
  bench.decline_offers(92.1);
  EXPECT_EQ(answer(bench, 92.2, 1), DeclineReason::kJustMet);
  bench.meet(92.3, 2, 5000, 0.1);
  bench.decline_offers(92.4);
  EXPECT_EQ(answer(bench, 92.5, 1), DeclineReason::kNone);
  EXPECT_EQ(answer(bench, 92.5, 2), DeclineReason::kJustMet);
}

TEST(HoldOff, HoldsOnlyWhileAnotherNeighbourIsLive) {
  const double declined_at = 92.0;
  Bench bench = after_meetings(three_neighbours("holdoff"));  // hold-off 10
  // 2 was last seen available when it met from 80 on: it is live until 120, four hold-offs later.
  EXPECT_EQ(answer(bench, declined_at + 0.5, 1), DeclineReason::kJustMet);
  bench.machine.on_peer_gone(declined_at + 1.0, 2);
  bench.machine.on_peer_gone(declined_at + 1.0, 3);
  const auto offers = bench.sent(kOffer);
  ASSERT_EQ(offers.size(), 1u) << "nobody else is left";
  EXPECT_EQ(offers[0].peer, 1);
}

TEST(HoldOff, APeerIsLiveForFourHoldOffsAfterItWasAvailable) {
  Pace pace;
  std::vector<Peer> peers;
  Situation situation{.now = 39.0, .pace = pace, .peers = peers};
  Peer peer;
  peer.last_available = 0.0;
  EXPECT_TRUE(live(situation, peer, 10.0));
  situation.now = 41.0;
  EXPECT_FALSE(live(situation, peer, 10.0));
  peer.available = true;
  EXPECT_TRUE(live(situation, peer, 10.0));
  peer.not_before = 42.0;
  EXPECT_FALSE(live(situation, peer, 10.0)) << "a meeting with it broke just now";
  peer.not_before = kLongAgo;
  peer.up = false;
  EXPECT_FALSE(live(situation, peer, 10.0));
}

TEST(HoldOff, OfTwoThatFinishedNeitherWaitsForTheOther) {
  Pace pace;
  std::vector<Peer> peers;
  Peer peer;
  peer.available = true;
  peer.done = true;
  EXPECT_TRUE(live({.pace = pace, .peers = peers}, peer, 10.0)) << "I may offer to it";
  EXPECT_FALSE(live({.done = true, .pace = pace, .peers = peers}, peer, 10.0)) << "neither of us will offer";
}

TEST(HoldOff, OffersToTheLastPartnerWhenItHasPassed) {
  Bench bench = after_meetings(three_neighbours("holdoff"));  // met 1 until 92; hold-off 10
  bench.hear(92.1, 1, kAvailable);
  EXPECT_TRUE(bench.sent(kOffer).empty());
  double now = 92.1;
  std::vector<Send> offers;
  while (offers.empty() && now < 110.0) {
    now = bench.machine.next_timer();
    bench.machine.on_timer(now);
    offers = bench.sent(kOffer);
  }
  EXPECT_NEAR(now, 102.0, 1e-9);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].peer, 1);
}

TEST(HoldOff, OffersToTheMostOverdueFirst) {
  Bench bench(three_neighbours("holdoff"));
  // Meetings with 1 end at 10, with 2 at 4, with 3 at 7.
  bench.meet(3.0, 2, 101, 1.0);
  bench.decline_offers(4.0);
  bench.meet(6.0, 3, 102, 1.0);
  bench.decline_offers(7.0);
  bench.meet(9.0, 1, 103, 1.0);
  bench.decline_offers(10.0);
  // Everyone becomes available while an offer keeps the machine from choosing.
  bench.hear(60.0, 3, kOffer, 104, 1);
  for (const int peer : {1, 2, 3})
    bench.hear(60.0, peer, kAvailable);
  bench.sent();
  bench.hear(60.0, 3, kWithdrawn, 104);
  auto offers = bench.sent(kOffer);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].peer, 1) << "0.5 · 50 > 0.25 · 56 > 0.25 · 53";
  bench.hear(60.0, 1, kDecline, offers[0].message.meeting, 0, DeclineReason::kNoBudget);
  offers = bench.sent(kOffer);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].peer, 2);
}

TEST(FirstCome, OffersToWhoWaitsLongest) {
  Bench bench(three_neighbours("fifo"));
  bench.hear(0.0, 1, kOffer, 101, 1);
  bench.hear(0.1, 3, kAvailable);
  bench.hear(0.2, 2, kAvailable);
  bench.hear(0.3, 3, kAvailable);  // said again: it has waited since 0.1
  bench.sent();
  bench.machine.on_peer_gone(0.4, 1);
  const auto offers = bench.sent(kOffer);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].peer, 3);
}

TEST(FirstCome, MeetsTheSameAgain) {
  Bench bench = after_meetings(three_neighbours("fifo"));
  EXPECT_EQ(answer(bench, 92.1, 1), DeclineReason::kNone);
}

TEST(Target, DrawsThePartnerByItsRateAndWaitsForIt) {
  std::map<int, int> drawn;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Config config = three_neighbours("target");
    config.seed = seed;
    Bench bench(config);
    bench.hear(0.0, 1, kAvailable);
    bench.hear(0.0, 2, kAvailable);
    bench.hear(0.0, 3, kAvailable);
    const auto offers = bench.sent(kOffer);
    ASSERT_EQ(offers.size(), 1u) << "one of them, and to nobody else when it declines:";
    ++drawn[offers[0].peer];
    bench.hear(0.1, offers[0].peer, kDecline, offers[0].message.meeting, 0, DeclineReason::kNoBudget);
    ASSERT_TRUE(bench.sent(kOffer).empty());
    EXPECT_EQ(answer(bench, 0.2, 1), DeclineReason::kNone) << "but it accepts from all";
  }
  EXPECT_NEAR(drawn[1], 1000, 100);
  EXPECT_NEAR(drawn[2], 500, 80);
  EXPECT_NEAR(drawn[3], 500, 80);
}

TEST(Memoryless, EdgesMeetAtTheirRatesLikePoissonProcesses) {
  simulation::PairingRunOptions options;
  options.neighbours = {{{1, 0.5}, {2, 0.2}}, {{0, 0.5}, {2, 0.3}}, {{0, 0.2}, {1, 0.3}}};
  options.pairing.policy = "memoryless";
  options.pairing.simulation = true;
  options.step_time = [](int, simulation::Random&) { return 1.0; };
  options.meeting_time = [](int, int, simulation::Random&) { return 1e-4; };
  options.latency = 1e-5;
  options.pairing.announce_interval = 1e6;
  options.seed = 3;
  simulation::PairingRun run(options);
  const double steps = 20000.0;
  run.run_until(steps);
  for (const auto& [edge, rate] : {std::pair{std::pair{0, 1}, 0.5}, {{0, 2}, 0.2}, {{1, 2}, 0.3}})
    EXPECT_NEAR(static_cast<double>(run.edge_meetings().at(edge)), rate * steps,
                5.0 * std::sqrt(rate * steps));
}

}  // namespace
}  // namespace duet::pairing
