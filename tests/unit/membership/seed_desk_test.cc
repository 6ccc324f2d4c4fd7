#include "membership/seed_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "duet/error.h"
#include "membership/text.h"
#include "unit/membership/join_support.h"

namespace duet::membership {
namespace {

using control::Joined;
using control::JoinPending;
using control::JoinRefused;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Answers = std::vector<SeedDesk::Answer>;

struct Desk {
  explicit Desk(int world_size, const std::string& run_id = "run")
      : mine(test_entry(0, world_size)), desk(mine, run_id) {}
  Answers ask(double now, const Entry& entry, const std::string& run_id = {}) {
    const control::Header header{.run = run_id.empty() ? 0 : control::run_hash(run_id),
                                 .epoch = 0,
                                 .rank = entry.rank,
                                 .from = entry.incarnation,
                                 .to = {}};
    return desk.on_join(now, "route of " + entry.incarnation.text(), header, entry);
  }
  Entry mine;
  SeedDesk desk;
};

template <typename Body>
int count(const Answers& answers) {
  int found = 0;
  for (const auto& answer : answers)
    found += std::holds_alternative<Body>(answer.body) ? 1 : 0;
  return found;
}

TEST(SeedDesk, AloneIsComplete) {
  const Desk desk(1, "");
  EXPECT_TRUE(desk.desk.complete());
  EXPECT_EQ(desk.desk.roster().run_id, desk.mine.incarnation.text().substr(0, 8));
  EXPECT_THAT(desk.desk.roster().entries, ElementsAre(desk.mine));
}

TEST(SeedDesk, TellsWhoIsMissingAndThenEveryone) {
  Desk desk(4);
  const Entry one = test_entry(1, 4), two = test_entry(2, 4), three = test_entry(3, 4);
  Answers answers = desk.ask(0.0, two);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].to, two.incarnation);
  EXPECT_EQ(answers[0].route, "route of " + two.incarnation.text());
  EXPECT_THAT(std::get<JoinPending>(answers[0].body).missing, ElementsAre(1, 3));
  EXPECT_EQ(count<JoinPending>(desk.ask(0.1, one)), 1);
  EXPECT_THAT(desk.desk.missing(), ElementsAre(3));
  answers = desk.ask(0.2, three);
  EXPECT_EQ(count<Joined>(answers), 3);
  EXPECT_TRUE(desk.desk.complete());
  EXPECT_THAT(desk.desk.roster().entries, ElementsAre(desk.mine, one, two, three));
  EXPECT_EQ(complete_from(std::get<Joined>(answers[0].body), one).entries, desk.desk.roster().entries);
}

TEST(SeedDesk, AnswersAMemberThatMissedItAgain) {
  Desk desk(2);
  const Entry one = test_entry(1, 2);
  desk.ask(0.0, one);
  const Answers again = desk.ask(1.0, one);
  EXPECT_EQ(count<Joined>(again), 1);
  const Answers other = desk.ask(1.0, test_entry(1, 2));
  ASSERT_EQ(count<JoinRefused>(other), 1);
  EXPECT_THAT(std::get<JoinRefused>(other[0].body).reason,
              AllOf(HasSubstr("had begun"), HasSubstr("pid 1001")));
}

TEST(SeedDesk, AMisfitEndsJoiningForAll) {
  Desk desk(4);
  desk.ask(0.0, test_entry(1, 4));
  desk.ask(0.0, test_entry(2, 4));
  Entry misfit = test_entry(3, 4);
  misfit.schema_hash = 78;
  misfit.schema = "weight float32 10x21\nbias float32 10";
  const Answers answers = desk.ask(0.1, misfit);
  EXPECT_EQ(count<JoinRefused>(answers), 3);
  EXPECT_THAT(desk.desk.refusal(), AllOf(HasSubstr("rank 0 (pid 1000"), HasSubstr("rank 3 (pid 1003"),
                                         HasSubstr("weight float32 10x21")));
  EXPECT_TRUE(desk.desk.everyone_told());
  EXPECT_TRUE(desk.desk.on_time(10.0).empty());
  EXPECT_EQ(count<JoinRefused>(desk.ask(0.2, test_entry(1, 4))), 1);
}

TEST(SeedDesk, KnowsWhoHasNotBeenToldYet) {
  Desk desk(4);
  desk.ask(0.0, test_entry(1, 4));
  desk.ask(0.0, test_entry(7, 8));  // misfits are told, but are none of ours
  EXPECT_FALSE(desk.desk.everyone_told());
  desk.ask(0.0, test_entry(2, 4));
  EXPECT_FALSE(desk.desk.everyone_told());
  desk.ask(0.0, test_entry(3, 4));
  EXPECT_TRUE(desk.desk.everyone_told());
}

TEST(SeedDesk, TwoLiveWorkersOfOneRankEndJoining) {
  Desk desk(3);
  const Entry first = test_entry(1, 3);
  Entry second = test_entry(1, 3);
  second.pid = 2001;
  desk.ask(0.0, first);
  EXPECT_EQ(count<JoinPending>(desk.ask(0.1, second)), 1);  // perhaps the first one died
  const Answers answers = desk.ask(0.5, first);
  EXPECT_GE(count<JoinRefused>(answers), 2);
  EXPECT_THAT(desk.desk.refusal(),
              AllOf(HasSubstr("both claim the same rank"), HasSubstr("1001"), HasSubstr("2001")));
}

TEST(SeedDesk, ASecondRankZeroEndsJoiningAtOnce) {
  Desk desk(3);
  EXPECT_EQ(count<JoinRefused>(desk.ask(0.0, test_entry(0, 3))), 1);
  EXPECT_THAT(desk.desk.refusal(), HasSubstr("both claim the same rank"));
}

TEST(SeedDesk, ARestartedWorkerTakesThePlaceOfItsDeadSelf) {
  Desk desk(3);
  const Entry dead = test_entry(1, 3), restarted = test_entry(1, 3), two = test_entry(2, 3);
  desk.ask(0.0, dead);
  for (double now = 1.0; now <= 3.0; now += SeedDesk::kRepeat) {
    EXPECT_EQ(count<JoinPending>(desk.ask(now, restarted)), 1);
    EXPECT_EQ(count<JoinPending>(desk.ask(now, two)), 1);  // not complete while it is open who rank 1 is
    EXPECT_TRUE(desk.desk.on_time(now).empty());
  }
  EXPECT_EQ(count<Joined>(desk.desk.on_time(3.1)), 2);
  EXPECT_THAT(desk.desk.roster().entries, ElementsAre(desk.mine, restarted, two));
}

TEST(SeedDesk, WhoFellSilentIsMissingAgain) {
  Desk desk(3);
  const Entry one = test_entry(1, 3);
  desk.ask(0.0, one);
  EXPECT_THAT(desk.desk.missing(), ElementsAre(2));
  desk.desk.on_time(3.5);
  EXPECT_THAT(desk.desk.missing(), ElementsAre(1, 2));
  EXPECT_EQ(count<JoinPending>(desk.ask(4.0, test_entry(2, 3))), 1);
  EXPECT_EQ(count<Joined>(desk.ask(4.1, one)), 2);
}

TEST(SeedDesk, AStrayOfAnotherRunIsRefusedAlone) {
  Desk desk(2, "mine");
  const Answers answers = desk.ask(0.0, test_entry(1, 2), "theirs");
  ASSERT_EQ(count<JoinRefused>(answers), 1);
  EXPECT_THAT(std::get<JoinRefused>(answers[0].body).reason,
              AllOf(HasSubstr("another run"), HasSubstr("mine")));
  EXPECT_EQ(desk.desk.refusal(), "");
  EXPECT_EQ(count<Joined>(desk.ask(0.1, test_entry(1, 2), "mine")), 1);
}

TEST(SeedDesk, TimingOutTellsWhoWaits) {
  Desk desk(3);
  desk.ask(0.0, test_entry(1, 3));
  const Answers answers = desk.desk.time_out("rank 2 is late");
  ASSERT_EQ(count<JoinRefused>(answers), 1);
  EXPECT_EQ(std::get<JoinRefused>(answers[0].body), (JoinRefused{"rank 2 is late", true}));
}

TEST(CompleteFrom, ARosterThatCannotBeIsRefused) {
  Roster roster{"run", {test_entry(0, 3), test_entry(1, 3), test_entry(2, 3)}, {}};
  const Entry mine = roster.entries[1];
  const Joined good = joined_message(roster);
  EXPECT_EQ(complete_from(good, mine).entries, roster.entries);

  Joined bad = good;
  bad.run_id.clear();
  EXPECT_THROW(complete_from(bad, mine), MembershipError);
  bad = good;
  bad.entries.pop_back();
  EXPECT_THROW(complete_from(bad, mine), MembershipError);
  bad = good;
  std::swap(bad.entries[0], bad.entries[2]);
  EXPECT_THROW(complete_from(bad, mine), MembershipError);
  bad = good;
  bad.entries[1].incarnation.low ^= 1;
  EXPECT_THROW(complete_from(bad, mine), MembershipError);
  bad = good;
  bad.entries[2].schema_hash ^= 1;
  EXPECT_THROW(complete_from(bad, mine), MembershipError);
  EXPECT_THROW(complete_from(Joined{}, mine), MembershipError);
}

TEST(RankList, ReadsLikeASentence) {
  EXPECT_EQ(rank_list({}), "no rank");
  EXPECT_EQ(rank_list({3}), "rank 3");
  EXPECT_EQ(rank_list({1, 4}), "ranks 1 and 4");
  EXPECT_EQ(rank_list({1, 2}), "ranks 1 and 2");
  EXPECT_EQ(rank_list({1, 4, 5, 6, 7, 9}), "ranks 1, 4 to 7 and 9");
}

}  // namespace
}  // namespace duet::membership
