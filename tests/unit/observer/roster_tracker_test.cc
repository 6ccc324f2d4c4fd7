#include "roster_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/observer/sample_frames.h"

namespace duet::observer {
namespace {

using Action = RosterTracker::Action;
using Kind = Action::Kind;
using testing::Contains;
using testing::IsEmpty;

class RosterTrackerTest : public testing::Test {
 protected:
  RosterTrackerTest() : run_(4), tracker_(Address{"door", 1234}, 100, 5.0) {}

  std::string node(int rank) const { return "tcp://node" + std::to_string(rank) + ":29800"; }

  SampleRun run_;
  RosterTracker tracker_;
};

TEST_F(RosterTrackerTest, BeginsAtTheDoorAndFindsTheOthers) {
  EXPECT_DOUBLE_EQ(tracker_.next_timer(), 0.0);
  EXPECT_EQ(tracker_.take_actions(0.0), (std::vector<Action>{{Kind::kOpenDoor, "tcp://door:1234"}}));
  EXPECT_EQ(tracker_.state(1.0), SourceState::kConnecting);
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, run_.header(2)));
  EXPECT_EQ(tracker_.state(1.0), SourceState::kRunning);
  const auto actions = tracker_.take_actions(1.0);
  ASSERT_EQ(actions.size(), 4u);
  for (int rank = 0; rank < 4; ++rank)
    EXPECT_THAT(actions, Contains(Action{Kind::kSubscribe, node(rank)}));
  EXPECT_EQ(tracker_.subscribed(), 5);
  tracker_.on_frame(1.2, true, run_.frame(2, 1.2, run_.header(2)));
  EXPECT_THAT(tracker_.take_actions(1.2), IsEmpty());
}

TEST_F(RosterTrackerTest, ClosesTheDoorOnceItsWorkerIsHeardAtItsOwnAddress) {
  tracker_.take_actions(0.0);
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, run_.header(2)));
  tracker_.take_actions(1.0);
  tracker_.on_frame(1.1, false, run_.frame(1, 1.1, run_.header(1)));
  EXPECT_THAT(tracker_.take_actions(1.1), IsEmpty());  // another one's says nothing about the door
  tracker_.on_frame(1.2, false, run_.frame(2, 1.2, run_.header(2)));
  EXPECT_EQ(tracker_.take_actions(1.2), (std::vector<Action>{{Kind::kCloseDoor, "tcp://door:1234"}}));
}

TEST_F(RosterTrackerTest, ATunnelStaysOpen) {
  tracker_.take_actions(0.0);
  for (double now = 1.0; now < 100.0; now += 1.0) {
    tracker_.on_frame(now, true, run_.frame(2, now, run_.header(2)));
    for (const Action& action : tracker_.take_actions(now))
      EXPECT_NE(action.kind, Kind::kCloseDoor);
  }
  EXPECT_EQ(tracker_.state(100.0), SourceState::kRunning);
}

TEST_F(RosterTrackerTest, FollowsANewIncarnationToItsAddress) {
  tracker_.take_actions(0.0);
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, run_.header(2)));
  tracker_.take_actions(1.0);
  const auto old = run_.header(0);
  run_.restart(3);
  auto moved = run_.header(2);
  moved.roster[3].telemetry_address = "tcp://spare:29800";
  tracker_.on_frame(2.0, true, run_.frame(2, 2.0, moved));
  auto actions = tracker_.take_actions(2.0);
  EXPECT_THAT(actions, Contains(Action{Kind::kUnsubscribe, node(3)}));
  EXPECT_THAT(actions, Contains(Action{Kind::kSubscribe, "tcp://spare:29800"}));
  // Who has not heard of it yet does not lead us back.
  tracker_.on_frame(2.1, false, run_.frame(0, 2.1, old));
  EXPECT_THAT(tracker_.take_actions(2.1), IsEmpty());
}

TEST_F(RosterTrackerTest, LetsGoOfWhoIsGoneForGood) {
  tracker_.take_actions(0.0);
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, run_.header(2)));
  tracker_.take_actions(1.0);
  auto header = run_.header(2);
  header.roster[1].phase = membership::Phase::kGone;
  double now = 2.0;
  for (; now < 60.0; now += 1.0) {
    tracker_.on_frame(now, true, run_.frame(2, now, header));
    EXPECT_THAT(tracker_.take_actions(now), IsEmpty());
  }
  now = 63.0;
  tracker_.on_frame(now, true, run_.frame(2, now, header));
  EXPECT_EQ(tracker_.take_actions(now), (std::vector<Action>{{Kind::kUnsubscribe, node(1)}}));
}

TEST_F(RosterTrackerTest, ConnectsToNothingButTcpAddresses) {
  tracker_.take_actions(0.0);
  auto header = run_.header(2);
  header.roster[0].telemetry_address = "ipc:///tmp/trap";
  header.roster[1].telemetry_address = "inproc://x";
  header.roster[2].telemetry_address = "";
  header.roster[3].telemetry_address = "tcp://a b:1";
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, header));
  EXPECT_THAT(tracker_.take_actions(1.0), IsEmpty());
}

TEST_F(RosterTrackerTest, SeveralMembersMayShareAnAddress) {
  tracker_.take_actions(0.0);
  auto header = run_.header(2);
  for (auto& member : header.roster)
    member.telemetry_address = "tcp://gateway:29800";
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, header));
  EXPECT_EQ(tracker_.take_actions(1.0), (std::vector<Action>{{Kind::kSubscribe, "tcp://gateway:29800"}}));
  header.roster[0].telemetry_address = "tcp://other:1";
  header.roster[0].incarnation.high += 1;
  tracker_.on_frame(2.0, true, run_.frame(2, 2.0, header));
  EXPECT_EQ(tracker_.take_actions(2.0), (std::vector<Action>{{Kind::kSubscribe, "tcp://other:1"}}));
}

TEST_F(RosterTrackerTest, TriesAgainWithBackOffWhenNobodyIsHeard) {
  tracker_.take_actions(0.0);
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, run_.header(2)));
  tracker_.take_actions(1.0);
  EXPECT_EQ(tracker_.state(5.9), SourceState::kRunning);
  EXPECT_EQ(tracker_.state(6.1), SourceState::kReconnecting);
  std::vector<double> tries;
  for (double now = 1.0; now < 60.0; now += 0.05)
    if (!tracker_.take_actions(now).empty()) tries.push_back(now);
  ASSERT_GE(tries.size(), 6u);
  EXPECT_NEAR(tries[0], 6.0, 0.2);
  EXPECT_NEAR(tries[1] - tries[0], 0.5, 0.11);
  EXPECT_NEAR(tries[2] - tries[1], 1.0, 0.11);
  EXPECT_NEAR(tries[3] - tries[2], 2.0, 0.11);
  EXPECT_LE(tries.back() - tries[tries.size() - 2], 10.11);
  EXPECT_LE(tracker_.retry_in(60.0).value(), 10.0);
  tracker_.on_frame(61.0, false, run_.frame(0, 61.0, run_.header(0)));
  EXPECT_EQ(tracker_.state(61.0), SourceState::kRunning);
  EXPECT_FALSE(tracker_.retry_in(61.0));
}

TEST_F(RosterTrackerTest, TheFirstTryHasTimeForAHandshake) {
  tracker_.take_actions(0.0);
  EXPECT_THAT(tracker_.take_actions(4.9), IsEmpty());
  EXPECT_EQ(tracker_.take_actions(5.0).size(), 2u);  // the door: closed, and opened again
}

TEST_F(RosterTrackerTest, AnotherRunIsFollowedOnceOursIsSilent) {
  tracker_.take_actions(0.0);
  tracker_.on_frame(1.0, true, run_.frame(2, 1.0, run_.header(2)));
  tracker_.take_actions(1.0);
  SampleRun other(1, "run-2");
  auto header = other.header(0);
  header.roster[0].telemetry_address = "tcp://elsewhere:1";
  tracker_.on_frame(2.0, true, other.frame(0, 2.0, header));
  EXPECT_THAT(tracker_.take_actions(2.0), IsEmpty());
  tracker_.on_frame(20.0, true, other.frame(0, 20.0, header));
  const auto actions = tracker_.take_actions(20.0);
  EXPECT_THAT(actions, Contains(Action{Kind::kUnsubscribe, node(0)}));
  EXPECT_THAT(actions, Contains(Action{Kind::kSubscribe, "tcp://elsewhere:1"}));
}

TEST_F(RosterTrackerTest, ARosterCannotMakeItConnectWithoutEnd) {
  RosterTracker tracker(Address{"door", 1234}, 10, 5.0);
  SampleRun large(1000);
  tracker.take_actions(0.0);
  tracker.on_frame(1.0, true, large.frame(2, 1.0, large.header(2)));
  EXPECT_EQ(tracker.take_actions(1.0).size(), 10u);
}

}  // namespace
}  // namespace duet::observer
