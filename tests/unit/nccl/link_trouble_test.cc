/// Deadlines, taking back, peers that go: who owns what then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "link_ends.h"

namespace duet::nccl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(LinkTrouble, DeadlinesOfEachPhase) {
  End dialing(false, 5 * kSecond);
  dialing.link.tick(5 * kSecond - 1);
  EXPECT_FALSE(dialing.link.failed());
  EXPECT_EQ(dialing.link.next_deadline(), 5 * kSecond);
  dialing.link.tick(5 * kSecond);
  dialing.act();
  EXPECT_THAT(dialing.link.failure().text, HasSubstr("did not answer"));
  EXPECT_EQ(dialing.link.phase(), Link::Phase::kEnded) << "there is no communicator to wait for";
  EXPECT_EQ(dialing.released, 0);

  End awaiting(true, 5 * kSecond);
  awaiting.link.tick(5 * kSecond);
  EXPECT_THAT(awaiting.link.failure().text, HasSubstr("nobody connected"));

  End opening(true, 5 * kSecond);
  opening.link.met();
  opening.post(1, kSend);
  opening.link.tick(5 * kSecond);
  opening.act();
  EXPECT_THAT(opening.link.failure().text, HasSubstr("communicator"));
  EXPECT_EQ(opening.link.failure().status, DUET_TIMED_OUT);
  EXPECT_EQ(opening.status(1), DUET_TIMED_OUT) << "the device never had it: at once";
  EXPECT_EQ(opening.link.phase(), Link::Phase::kEnding);
  EXPECT_EQ(opening.released, 1);
  opening.link.released();
  EXPECT_EQ(opening.link.phase(), Link::Phase::kEnded);

  End ready(true, 5 * kSecond);
  ready.link.met();
  ready.link.communicator_ready();
  ready.link.tick(50 * kSecond);
  EXPECT_FALSE(ready.link.failed()) << "it came about in time";
}

TEST(LinkTrouble, AnOperationThatWasNeverLaunchedEndsAloneAndStopsTheStreams) {
  Links links;
  links.meet();
  links.follower.post(1, kReceive, 100, 2 * kSecond);
  links.follower.post(2, kReceive, 100, 9 * kSecond);
  links.talk();
  links.follower.link.tick(2 * kSecond);
  links.follower.act();
  EXPECT_EQ(links.follower.status(1), DUET_TIMED_OUT);
  EXPECT_EQ(links.follower.status(2), -1);
  EXPECT_FALSE(links.follower.link.failed());
  links.talk();
  links.leader.post(1, kSend);
  links.leader.post(2, kSend);
  links.talk();
  EXPECT_THAT(links.leader.groups, IsEmpty())
      << "the order is gone: the second must not take the first's place";
  EXPECT_EQ(links.follower.released, 0) << "no communicator had to be aborted";
}

TEST(LinkTrouble, TakingBackThatCrossesALaunchEndsTheLink) {
  Links links;
  links.meet();
  links.follower.post(1, kReceive, 100, 2 * kSecond);
  links.talk();
  links.leader.post(1, kSend);
  ASSERT_EQ(links.leader.groups.size(), 1u);
  links.follower.link.tick(2 * kSecond);  // before it hears of the launch
  links.follower.act();
  EXPECT_EQ(links.follower.status(1), DUET_TIMED_OUT);
  links.talk();
  EXPECT_TRUE(links.follower.link.failed());
  EXPECT_THAT(links.follower.groups, IsEmpty());
  EXPECT_TRUE(links.leader.link.failed());
  EXPECT_EQ(links.leader.released, 1);
  EXPECT_EQ(links.leader.status(1), -1) << "the device has it until the abort is over";
  EXPECT_TRUE(links.leader.link.lends());
  links.leader.link.released();
  links.leader.act();
  EXPECT_EQ(links.leader.status(1), DUET_PEER_LOST);
  EXPECT_FALSE(links.leader.link.lends());
}

TEST(LinkTrouble, WhatIsOnTheDeviceStaysLentUntilTheAbortIsOver) {
  for (const char* how : {"deadline", "close", "peer", "device", "line"}) {
    SCOPED_TRACE(how);
    Links links;
    links.meet();
    links.leader.post(1, kSend, 100, 3 * kSecond);
    links.leader.post(2, kSend, 100, 9 * kSecond);
    links.follower.post(1, kReceive);
    links.talk();
    ASSERT_EQ(links.leader.groups.size(), 1u);
    duet_status launched = DUET_PEER_LOST;
    const std::string reason = how;
    if (reason == "deadline") {
      links.leader.link.tick(3 * kSecond);
      launched = DUET_TIMED_OUT;
    } else if (reason == "close") {
      links.leader.link.close();
      launched = DUET_CANCELLED;
    } else if (reason == "peer") {
      links.follower.link.close();
      links.follower.act();
      links.talk();
    } else if (reason == "device") {
      links.leader.link.communicator_failed({DUET_DEVICE_ERROR, 7, "the GPU is on fire"});
      launched = DUET_DEVICE_ERROR;
    } else {
      links.leader.link.line_lost("the peer died", kSecond);
    }
    links.leader.act();
    EXPECT_EQ(links.leader.status(2), launched) << "never launched: at once";
    EXPECT_EQ(links.leader.status(1), -1);
    EXPECT_EQ(links.leader.released, 1);
    EXPECT_TRUE(links.leader.hung_up);
    EXPECT_NE(links.leader.link.post({9, true, nullptr, 0, 0, true}), DUET_OK);
    links.leader.link.groups_finished(1);
    links.leader.link.tick(100 * kSecond);
    links.leader.act();
    EXPECT_EQ(links.leader.status(1), -1);
    links.leader.link.released();
    links.leader.act();
    EXPECT_EQ(links.leader.status(1), launched);
    EXPECT_EQ(links.leader.link.phase(), Link::Phase::kEnded);
    EXPECT_EQ(links.leader.released, 1) << "once";
  }
}

TEST(LinkTrouble, CancelTakesBackWhatIsNotOnTheDevice) {
  Links links;
  links.meet();
  links.leader.post(1, kSend);
  links.leader.post(2, kReceive);
  links.follower.post(1, kReceive);
  links.talk();
  EXPECT_EQ(links.leader.link.cancel(1), DUET_AGAIN);
  EXPECT_EQ(links.leader.link.cancel(2), DUET_OK);
  links.leader.act();
  EXPECT_EQ(links.leader.status(2), DUET_CANCELLED);
  EXPECT_EQ(links.leader.link.cancel(2), DUET_MISUSE);
  EXPECT_EQ(links.leader.link.cancel(77), DUET_MISUSE);
  EXPECT_THAT(links.leader.link.last_error()->text, HasSubstr("cancelled"));
  links.finish_groups();
  EXPECT_EQ(links.leader.status(1), DUET_OK);
}

TEST(LinkTrouble, InOneProcessTheLeaderMayHaveLaunchedWhatWasOnlyAnnounced) {
  for (const bool launched : {true, false}) {
    SCOPED_TRACE(launched);
    End follower(false);
    follower.link.set_recall([&](bool, std::uint64_t) { return !launched; });
    follower.link.met();
    follower.link.communicator_ready();
    follower.post(1, kReceive);
    EXPECT_EQ(follower.link.cancel(1), launched ? DUET_AGAIN : DUET_OK);
    follower.act();
    follower.link.close();
    follower.act();
    EXPECT_EQ(follower.status(1), launched ? -1 : DUET_CANCELLED);
    EXPECT_EQ(follower.link.lends(), launched);
    follower.link.released();
    follower.act();
    EXPECT_EQ(follower.status(1), DUET_CANCELLED);
  }
}

TEST(LinkTrouble, WhatThePeerCompletedBeforeItClosedArrives) {
  Links links;
  links.meet();
  links.leader.post(1, kSend);
  links.follower.post(1, kReceive);
  links.talk();
  // The receiver is done, says so, and closes; this side's half of the same group is not reported yet.
  links.follower.link.groups_finished(1);
  links.follower.act();
  links.follower.link.close();
  links.follower.act();
  links.hand_over(links.follower, links.leader);
  links.leader.link.line_lost("the peer closed", links.now);
  EXPECT_FALSE(links.leader.link.failed());
  links.leader.link.groups_finished(1);
  links.leader.act();
  EXPECT_EQ(links.leader.status(1), DUET_OK);
  EXPECT_TRUE(links.leader.link.failed());
  EXPECT_EQ(links.leader.link.failure().status, DUET_PEER_LOST);

  // But not for ever.
  Links others;
  others.meet();
  others.leader.post(1, kSend);
  others.follower.post(1, kReceive);
  others.talk();
  others.follower.link.groups_finished(1);
  others.follower.act();
  others.follower.link.close();
  others.follower.act();
  others.hand_over(others.follower, others.leader);
  EXPECT_LE(others.leader.link.next_deadline(), others.now + kSecond);
  others.leader.link.tick(others.now + kSecond);
  others.leader.act();
  EXPECT_TRUE(others.leader.link.failed());
  others.leader.link.released();
  others.leader.act();
  EXPECT_EQ(others.leader.status(1), DUET_PEER_LOST);
}

TEST(LinkTrouble, APeerThatBreaksTheProtocolIsLeft) {
  const auto frame = [](FrameKind kind, std::uint64_t first, std::uint64_t second = 0,
                        std::uint64_t third = 0) {
    Frame made;
    made.kind = kind;
    made.first = first;
    made.second = second;
    made.third = third;
    return made;
  };
  for (const Frame& bad :
       {frame(FrameKind::kHello, 1), frame(FrameKind::kWelcome, 1), frame(FrameKind::kPostedSend, 5, 100),
        frame(FrameKind::kLaunch, 2, 1, 0), frame(FrameKind::kLaunch, 1, 1, 0),
        frame(FrameKind::kLaunch, 1, 0, ~0ull), frame(FrameKind::kDone, 1)}) {
    End follower(false);
    follower.link.met();
    follower.link.communicator_ready();
    follower.post(1, kReceive);
    follower.link.on_frame(bad, kSecond);
    follower.act();
    EXPECT_TRUE(follower.link.failed()) << static_cast<int>(bad.kind);
    EXPECT_EQ(follower.status(1), DUET_PEER_LOST);
    EXPECT_THAT(follower.groups, IsEmpty());
  }
  End leader(true);
  leader.link.met();
  leader.link.on_frame(frame(FrameKind::kLaunch, 1, 0, 0), kSecond);
  EXPECT_TRUE(leader.link.failed()) << "the leader launches, nobody else";
}

}  // namespace
}  // namespace duet::nccl
