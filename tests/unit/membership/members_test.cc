#include "membership/members.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace duet::membership {
namespace {

constexpr double kGoneAfter = 5.0;

Roster roster(int members) {
  Roster roster;
  for (int rank = 0; rank < members; ++rank) {
    Entry entry;
    entry.rank = rank;
    entry.world_size = members;
    entry.incarnation = {static_cast<std::uint64_t>(rank) + 1, 99};
    roster.entries.push_back(entry);
  }
  return roster;
}

using States = std::vector<MemberState>;

/// A random state of knowledge about `members` members; now and then of another incarnation.
States random_states(std::mt19937_64& random, int members) {
  States states = Members(roster(members), 0, kGoneAfter).states();
  for (MemberState& state : states) {
    if (random() % 8 == 0) state.incarnation.low = 100;
    state.phase = static_cast<Phase>(random() % 6);
    state.beats = random() % 4;
    state.steps = random() % 4;
    state.samples = random() % 4;
    state.meetings = random() % 4;
    state.attempt = random() % 3;
    state.passes = random() % 3;
    state.result = random() % 3;
    state.squared_distance = static_cast<double>(random() % 3);
  }
  return states;
}

States merged(States known, const States& told) {
  for (std::size_t i = 0; i < known.size(); ++i)
    merge_state(known[i], told[i]);
  return known;
}

TEST(MergingStates, IsCommutativeAssociativeIdempotentAndMonotone) {
  std::mt19937_64 random(1);
  const States start = Members(roster(6), 0, kGoneAfter).states();
  for (int i = 0; i < 2000; ++i) {
    const States a = random_states(random, 6), b = random_states(random, 6), c = random_states(random, 6);
    EXPECT_EQ(merged(merged(start, a), b), merged(merged(start, b), a));
    EXPECT_EQ(merged(merged(start, a), merged(merged(start, b), c)), merged(merged(merged(start, a), b), c));
    const States once = merged(start, a);
    EXPECT_EQ(merged(once, a), once);
    const States more = merged(once, b);
    for (std::size_t k = 0; k < more.size(); ++k) {
      EXPECT_GE(more[k].phase, once[k].phase);
      EXPECT_GE(more[k].beats, once[k].beats);
      EXPECT_GE(more[k].steps, once[k].steps);
      EXPECT_GE(more[k].samples, once[k].samples);
      EXPECT_GE(more[k].meetings, once[k].meetings);
      EXPECT_GE(more[k].attempt, once[k].attempt);
      EXPECT_GE(more[k].passes, once[k].passes);
      EXPECT_GE(more[k].result, once[k].result);
      EXPECT_GE(more[k].squared_distance, once[k].squared_distance);
      EXPECT_EQ(more[k].incarnation, once[k].incarnation);
    }
  }
}

TEST(MergingStates, ANaNNeverGetsIn) {
  MemberState known{.incarnation = {1, 1}, .squared_distance = 2.0};
  MemberState told{.incarnation = {1, 1}, .squared_distance = std::numeric_limits<double>::quiet_NaN()};
  merge_state(known, told);
  EXPECT_EQ(known.squared_distance, 2.0);
}

TEST(Members, StartAllLiveInEpochOne) {
  Members members(roster(3), 1, kGoneAfter);
  EXPECT_EQ(members.live_ranks(), (std::vector<int>{0, 1, 2}));
  EXPECT_TRUE(members.gone_ranks().empty());
  EXPECT_EQ(members.epoch(), 1u);
  EXPECT_EQ(members.total_samples(), 0u);
  EXPECT_TRUE(members.all_live_at_least(Phase::kTraining));
  EXPECT_FALSE(members.all_live_at_least(Phase::kFinished));
  EXPECT_FALSE(members.declared_gone());
}

TEST(Members, NewsTravelsThroughOthers) {
  Members a(roster(3), 0, kGoneAfter), b(roster(3), 1, kGoneAfter), c(roster(3), 2, kGoneAfter);
  c.mine().steps = 7;
  c.mine().samples = 70;
  c.mine().phase = Phase::kFinished;
  EXPECT_TRUE(b.merge(0.0, 2, c.states()));
  EXPECT_TRUE(a.merge(0.0, 1, b.states()));
  EXPECT_FALSE(a.merge(0.0, 1, b.states()));  // nothing new
  EXPECT_EQ(a.of(2), c.mine());
  EXPECT_EQ(a.total_steps(), 7u);
  EXPECT_EQ(a.total_samples(), 70u);
  c.mine().samples = 80;
  EXPECT_FALSE(a.merge(0.0, 2, c.states()));  // news, but no change of phase
  EXPECT_EQ(a.total_samples(), 80u);
}

TEST(Members, NewsByAnyPathIsASignOfLife) {
  Members a(roster(3), 0, kGoneAfter), c(roster(3), 2, kGoneAfter);
  // Nothing comes from 1 to 0 directly, but 2 hears it and passes it on.
  States told = c.states();
  for (int second = 0; second <= 20; ++second) {
    told[1].beats = static_cast<std::uint64_t>(second) + 1;
    a.merge(second, 2, told);
    EXPECT_TRUE(a.check(second, {1, 2}).empty()) << second;
  }
  // What 2 repeats is no news: 1 is dead, and gone as soon as if 0 had heard it itself.
  for (int second = 21; second <= 24; ++second) {
    a.merge(second, 2, told);
    EXPECT_TRUE(a.check(second, {1, 2}).empty()) << second;
  }
  a.merge(25.0, 2, told);
  EXPECT_EQ(a.check(25.1, {1, 2}), std::vector<int>{1});
}

TEST(Members, BeatsOfAnotherIncarnationAreNoSignOfLife) {
  Members a(roster(3), 0, kGoneAfter), c(roster(3), 2, kGoneAfter);
  States told = c.states();
  told[1].incarnation.low = 12345;
  for (int second = 0; second <= 5; ++second) {
    told[1].beats = static_cast<std::uint64_t>(second) + 1;
    a.merge(second, 2, told);
    const auto gone = a.check(second, {1, 2});
    EXPECT_EQ(gone, second < 5 ? std::vector<int>{} : std::vector<int>{1});
  }
}

TEST(Members, WhoIsTakenToHaveLeftLearnsIt) {
  Members a(roster(2), 0, kGoneAfter), b(roster(2), 1, kGoneAfter);
  a.mine().phase = Phase::kAveraged;
  States told = b.states();
  told[0].phase = Phase::kLeft;
  a.merge(1.0, 1, told);
  EXPECT_TRUE(a.declared_gone());
}

TEST(Members, WhoReallyLeftIsNotToldOtherwise) {
  Members a(roster(2), 0, kGoneAfter), b(roster(2), 1, kGoneAfter);
  a.mine().phase = Phase::kLeft;
  States told = b.states();
  told[0].phase = Phase::kLeft;
  a.merge(1.0, 1, told);
  EXPECT_FALSE(a.declared_gone());
}

TEST(Members, AnotherIncarnationIsNotBelieved) {
  Members a(roster(2), 0, kGoneAfter), b(roster(2), 1, kGoneAfter);
  States told = b.states();
  told[1].incarnation.low = 12345;
  told[1].samples = 1000;
  told[1].phase = Phase::kGone;
  EXPECT_FALSE(a.merge(3.0, 1, told));
  EXPECT_EQ(a.total_samples(), 0u);
  EXPECT_TRUE(a.live(1));
  EXPECT_EQ(a.silence(4.0, 1), 1.0);  // since the beginning: it was not heard
}

TEST(Members, MalformedHeartbeatsAreIgnored) {
  Members a(roster(3), 0, kGoneAfter);
  States told = a.states();
  told[2].phase = Phase::kGone;
  EXPECT_FALSE(a.merge(0.0, -1, told));
  EXPECT_FALSE(a.merge(0.0, 3, told));
  EXPECT_FALSE(a.merge(0.0, 1, States(told.begin(), told.begin() + 2)));
  told.push_back(told[0]);
  EXPECT_FALSE(a.merge(0.0, 1, told));
  EXPECT_TRUE(a.live(2));
  a.heard(0.0, 17);
  a.heard(0.0, -1);
}

TEST(Members, SilenceEndsALifeForGood) {
  Members a(roster(3), 0, kGoneAfter), b(roster(3), 1, kGoneAfter);
  b.mine().samples = 5;
  a.merge(100.0, 1, b.states());
  for (double now = 101.0; now < 105.0; now += 1.0)
    EXPECT_TRUE(a.check(now, {1, 2}).empty()) << now;
  a.heard(104.0, 2);
  EXPECT_EQ(a.check(105.0, {1, 2}), (std::vector<int>{1}));
  EXPECT_TRUE(a.check(105.5, {1, 2}).empty());  // told once
  EXPECT_FALSE(a.live(1));
  EXPECT_EQ(a.gone_ranks(), (std::vector<int>{1}));
  EXPECT_EQ(a.live_ranks(), (std::vector<int>{0, 2}));
  EXPECT_EQ(a.epoch(), 2u);
  EXPECT_EQ(a.total_samples(), 5u);  // as last heard

  // It is heard again: too late for this incarnation.
  EXPECT_FALSE(a.merge(106.0, 1, b.states()));
  EXPECT_FALSE(a.live(1));
  EXPECT_EQ(a.epoch(), 2u);
}

TEST(Members, OnlyTheWatchedAreMissed) {
  Members a(roster(4), 0, kGoneAfter);
  for (double now = 0.0; now < 20.0; now += 1.0)
    EXPECT_EQ(a.check(now, {0, 3}).size(), now == 5.0 ? 1u : 0u) << now;
  EXPECT_EQ(a.live_ranks(), (std::vector<int>{0, 1, 2}));  // itself it never misses
}

TEST(Members, AStallOfThisWorkerIsNotBlamedOnTheOthers) {
  Members a(roster(2), 0, kGoneAfter);
  a.heard(0.0, 1);
  EXPECT_TRUE(a.check(1.0, {1}).empty());
  EXPECT_TRUE(a.check(61.0, {1}).empty());  // was stopped for a minute
  a.heard(61.1, 1);
  EXPECT_TRUE(a.check(63.0, {1}).empty());

  EXPECT_TRUE(a.check(161.0, {1}).empty());
  EXPECT_TRUE(a.check(163.0, {1}).empty());
  EXPECT_EQ(a.check(163.5, {1}), (std::vector<int>{1}));  // half of gone_after later
}

TEST(Members, AWorkerThatIsDeclaredGoneHearsItAndGoesOn) {
  Members a(roster(3), 0, kGoneAfter), b(roster(3), 1, kGoneAfter);
  for (double now = 0.0; now <= 5.0; now += 1.0)
    b.check(now, {0});
  ASSERT_FALSE(b.live(0));
  a.mine().samples = 8;
  EXPECT_FALSE(a.merge(5.0, 1, b.states()));
  EXPECT_TRUE(a.declared_gone());
  EXPECT_TRUE(a.live(0));
  EXPECT_EQ(a.mine().phase, Phase::kTraining);
  EXPECT_EQ(a.mine().samples, 8u);
  EXPECT_EQ(a.epoch(), 1u);
}

TEST(Members, TheOneWhoIsGoneCannotDragOthersAlong) {
  Members a(roster(3), 0, kGoneAfter), c(roster(3), 2, kGoneAfter);
  for (double now = 0.0; now <= 5.0; now += 1.0) {
    c.check(now, {0, 1});  // cut off, 2 thinks that everyone else died
    a.heard(now, 1);
    a.check(now, {1, 2});
  }
  ASSERT_FALSE(a.live(2));
  ASSERT_EQ(c.live_ranks(), (std::vector<int>{2}));
  EXPECT_FALSE(a.merge(6.0, 2, c.states()));
  EXPECT_EQ(a.live_ranks(), (std::vector<int>{0, 1}));
  EXPECT_FALSE(a.declared_gone());
}

TEST(Members, WhoLeftIsNeitherLiveNorLost) {
  Members a(roster(3), 0, kGoneAfter), b(roster(3), 1, kGoneAfter);
  const std::uint64_t hash = a.live_hash();
  b.mine().phase = Phase::kLeft;
  EXPECT_TRUE(a.merge(0.0, 1, b.states()));
  EXPECT_EQ(a.live_ranks(), (std::vector<int>{0, 2}));
  EXPECT_TRUE(a.gone_ranks().empty());
  EXPECT_EQ(a.epoch(), 1u);
  EXPECT_EQ(a.live_hash(), hash);
  for (double now = 0.0; now <= 20.0; now += 1.0)
    EXPECT_TRUE(a.check(now, {1}).empty());
}

TEST(Members, WhoHasTheAverageAndFallsSilentHasLeft) {
  Members a(roster(3), 0, kGoneAfter), b(roster(3), 1, kGoneAfter);
  const std::uint64_t hash = a.live_hash();
  b.mine().phase = Phase::kAveraged;
  a.merge(0.0, 1, b.states());
  for (double now = 0.0; now <= 6.0; now += 1.0)
    EXPECT_TRUE(a.check(now, {1}).empty());
  EXPECT_EQ(a.of(1).phase, Phase::kLeft);
  EXPECT_TRUE(a.gone_ranks().empty());
  EXPECT_EQ(a.live_hash(), hash);
}

TEST(Members, LiveHashTellsSetsOfIncarnationsApart) {
  Members a(roster(4), 0, kGoneAfter), b(roster(4), 1, kGoneAfter);
  EXPECT_EQ(a.live_hash(), b.live_hash());
  for (double now = 0.0; now <= 5.0; now += 1.0) {
    a.check(now, {2});
    b.check(now, {3});
  }
  EXPECT_EQ(a.epoch(), b.epoch());
  EXPECT_NE(a.live_hash(), b.live_hash());  // the same epoch, but not the same members
  b.merge(5.0, 0, a.states());
  a.merge(5.0, 1, b.states());
  EXPECT_EQ(a.live_hash(), b.live_hash());
  EXPECT_EQ(a.epoch(), 3u);

  Roster restarted = roster(4);
  restarted.entries[2].incarnation = {3, 100};
  EXPECT_NE(Members(restarted, 0, kGoneAfter).live_hash(), Members(roster(4), 0, kGoneAfter).live_hash());
}

TEST(Members, PhasesCountOverTheLiveOnly) {
  Members a(roster(3), 0, kGoneAfter), b(roster(3), 1, kGoneAfter);
  a.mine().phase = Phase::kFinished;
  b.mine().phase = Phase::kAveraged;
  a.merge(0.0, 1, b.states());
  EXPECT_FALSE(a.all_live_at_least(Phase::kFinished));
  for (double now = 0.0; now <= 5.0; now += 1.0) {
    a.heard(now, 1);
    a.check(now, {1, 2});
  }
  EXPECT_TRUE(a.all_live_at_least(Phase::kFinished));
  EXPECT_FALSE(a.all_live_at_least(Phase::kAveraged));
  a.mine().phase = Phase::kAveraged;
  EXPECT_TRUE(a.all_live_at_least(Phase::kAveraged));
}

TEST(Members, SilenceIsCountedFromTheFirstTimeSeen) {
  Members a(roster(2), 0, kGoneAfter);
  EXPECT_EQ(a.silence(1000.0, 1), 0.0);
  EXPECT_TRUE(a.check(1000.0, {1}).empty());
  EXPECT_EQ(a.silence(1002.0, 1), 2.0);
  a.heard(1001.5, 1);
  EXPECT_EQ(a.silence(1002.0, 1), 0.5);
}

}  // namespace
}  // namespace duet::membership
