#include "link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace duet::nccl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kSecond = 1'000'000'000;

/// One end of a link with the world that it lives in: a line, which this test carries, and a communicator,
/// which does what this test says.
struct End {
  explicit End(bool leader, std::uint64_t deadline = 0) : link(leader, deadline, "rank 3") {}

  /// Carries out what the link wants; what it says waits in `said`.
  void act() {
    for (auto actions = link.take_actions(); !actions.empty(); actions = link.take_actions()) {
      for (auto& action : actions) {
        if (auto* say = std::get_if<Link::Say>(&action)) {
          EXPECT_FALSE(hung_up) << "speaks after it hung up";
          said.push_back(say->frame);
        } else if (auto* announce = std::get_if<Link::Announce>(&action)) {
          Frame frame;
          frame.kind = announce->piece.send ? FrameKind::kPostedSend : FrameKind::kPostedReceive;
          frame.first = announce->piece.index;
          frame.second = announce->piece.bytes;
          said.push_back(frame);
        } else if (std::holds_alternative<Link::OpenCommunicator>(action)) {
          ++opened;
        } else if (auto* launch = std::get_if<Link::Launch>(&action)) {
          EXPECT_EQ(released, 0) << "launches on what it has released";
          groups.push_back(launch->pieces);
        } else if (std::holds_alternative<Link::Release>(action)) {
          ++released;
        } else if (std::holds_alternative<Link::HangUp>(action)) {
          hung_up = true;
        }
      }
    }
    for (const auto& one : link.take_done()) {
      EXPECT_FALSE(done.contains(one.id)) << "operation " << one.id << " completed twice";
      done[one.id] = one.status;
    }
  }
  void post(std::uint64_t id, bool send, std::uint64_t bytes = 100, std::uint64_t deadline = 0,
            bool ready = true) {
    EXPECT_EQ(link.post({id, send, &memory, bytes, deadline, ready}), DUET_OK);
    act();
  }
  std::vector<std::pair<bool, std::uint64_t>> group(std::size_t index) const {
    std::vector<std::pair<bool, std::uint64_t>> pieces;
    for (const auto& piece : groups.at(index))
      pieces.emplace_back(piece.send, piece.index);
    return pieces;
  }
  duet_status status(std::uint64_t id) const { return done.contains(id) ? done.at(id) : -1; }

  Link link;
  int opened = 0, released = 0;
  bool hung_up = false;
  std::vector<std::vector<Link::Piece>> groups;
  std::map<std::uint64_t, duet_status> done;
  std::vector<Frame> said;
  int memory = 0;
};

/// Both ends, and a line between them.
struct Links {
  void meet() {
    for (End* end : {&leader, &follower}) {
      end->link.met();
      end->act();
      end->link.communicator_ready();
      end->act();
    }
    talk();
  }
  /// Until nobody has anything to say.
  void talk() {
    while (!leader.said.empty() || !follower.said.empty()) {
      hand_over(leader, follower);
      hand_over(follower, leader);
    }
  }
  void hand_over(End& from, End& to) {
    for (const Frame& frame : std::exchange(from.said, {})) {
      to.link.on_frame(frame, now);
      to.act();
    }
  }
  void finish_groups() {
    for (End* end : {&leader, &follower}) {
      end->link.groups_finished(end->groups.size());
      end->act();
    }
    talk();
  }
  End leader{true}, follower{false};
  std::uint64_t now = kSecond;
};

constexpr bool kSend = true, kReceive = false;

TEST(Link, NothingIsLaunchedThatIsNotPromisedOverThere) {
  Links links;
  links.meet();
  EXPECT_EQ(links.leader.opened, 1);
  links.leader.post(1, kSend);
  links.talk();
  EXPECT_THAT(links.leader.groups, IsEmpty());
  links.follower.post(2, kSend);
  links.talk();
  EXPECT_THAT(links.leader.groups, IsEmpty()) << "two sends do not make a pair";
  links.follower.post(3, kReceive);
  links.talk();
  ASSERT_EQ(links.leader.groups.size(), 1u);
  EXPECT_THAT(links.leader.group(0), ElementsAre(std::pair(kSend, 0)));
  ASSERT_EQ(links.follower.groups.size(), 1u);
  EXPECT_THAT(links.follower.group(0), ElementsAre(std::pair(kReceive, 0)));
}

TEST(Link, BothDirectionsGoIntoOneGroupWhateverTheOrderOfPosting) {
  for (const bool leader_first : {true, false}) {
    Links links;
    links.meet();
    // Receive before send on both sides: what deadlocks a communicator that runs them in order.
    const auto post_both = [](End& end) {
      end.post(1, kReceive);
      end.post(2, kSend);
    };
    post_both(leader_first ? links.leader : links.follower);
    post_both(leader_first ? links.follower : links.leader);
    links.talk();
    std::size_t launched = 0;
    for (const auto& pieces : links.leader.groups)
      launched += pieces.size();
    EXPECT_EQ(launched, 2u);
    // The follower's groups are the leader's, seen from the other side.
    ASSERT_EQ(links.leader.groups.size(), links.follower.groups.size());
    for (std::size_t g = 0; g < links.leader.groups.size(); ++g) {
      auto mine = links.leader.group(g), theirs = links.follower.group(g);
      ASSERT_EQ(mine.size(), theirs.size());
      for (const auto& [send, index] : mine)
        EXPECT_THAT(theirs, ::testing::Contains(std::pair(!send, index)));
    }
    links.finish_groups();
    for (const std::uint64_t id : {1, 2}) {
      EXPECT_EQ(links.leader.status(id), DUET_OK);
      EXPECT_EQ(links.follower.status(id), DUET_OK);
    }
  }
}

TEST(Link, TwoGroupsAreUnderWayAtMost) {
  Links links;
  links.meet();
  for (std::uint64_t id = 1; id <= 5; ++id) {
    links.follower.post(id, kReceive);
    links.leader.post(id, kSend);
    links.talk();
  }
  EXPECT_EQ(links.leader.groups.size(), 2u);
  links.finish_groups();
  ASSERT_EQ(links.leader.groups.size(), 3u);
  EXPECT_EQ(links.leader.groups[2].size(), 3u) << "what waited goes together";
}

TEST(Link, ASendEndsWhenThePeerHasTheData) {
  Links links;
  links.meet();
  links.leader.post(1, kSend);
  links.follower.post(1, kReceive);
  links.talk();
  links.leader.link.groups_finished(1);
  links.leader.act();
  EXPECT_EQ(links.leader.status(1), -1);
  links.talk();
  EXPECT_EQ(links.leader.status(1), -1) << "the device here is done, over there it is not";
  links.follower.link.groups_finished(1);
  links.follower.act();
  EXPECT_EQ(links.follower.status(1), DUET_OK);
  links.talk();
  EXPECT_EQ(links.leader.status(1), DUET_OK);
}

TEST(Link, MemoryThatIsNotValidYetIsNotPromised) {
  Links links;
  links.meet();
  links.follower.post(1, kReceive);
  links.leader.post(1, kSend, 100, 0, false);
  links.leader.post(2, kSend);
  links.follower.post(2, kReceive);
  links.talk();
  EXPECT_THAT(links.leader.groups, IsEmpty()) << "the second must not overtake the first";
  links.leader.link.memory_ready(1);
  links.leader.act();
  links.talk();
  ASSERT_EQ(links.leader.groups.size(), 1u);
  EXPECT_EQ(links.leader.groups[0].size(), 2u);
}

TEST(Link, DifferentSizesNeverReachTheDevice) {
  for (const bool leader_sends : {true, false}) {
    Links links;
    links.meet();
    links.leader.post(1, leader_sends, 100);
    links.follower.post(1, !leader_sends, 200);
    links.talk();
    EXPECT_THAT(links.leader.groups, IsEmpty());
    EXPECT_EQ(links.leader.status(1), DUET_MISUSE);
    EXPECT_EQ(links.follower.status(1), DUET_MISUSE);
    EXPECT_THAT(links.leader.link.failure().text, HasSubstr("rank 3"));
    EXPECT_THAT(links.leader.link.failure().text, HasSubstr("200"));
  }
}

TEST(Link, DeadlinesOfEachPhase) {
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

TEST(Link, AnOperationThatWasNeverLaunchedEndsAloneAndStopsTheStreams) {
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

TEST(Link, TakingBackThatCrossesALaunchEndsTheLink) {
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

TEST(Link, WhatIsOnTheDeviceStaysLentUntilTheAbortIsOver) {
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

TEST(Link, CancelTakesBackWhatIsNotOnTheDevice) {
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

TEST(Link, InOneProcessTheLeaderMayHaveLaunchedWhatWasOnlyAnnounced) {
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

TEST(Link, WhatThePeerCompletedBeforeItClosedArrives) {
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

TEST(Link, OnlyAUsedLinkWithNothingPostedOnEitherSideIsIdle) {
  Links links;
  links.meet();
  EXPECT_FALSE(links.leader.link.idle()) << "whoever has just connected is about to use it";
  links.leader.post(1, kSend);
  links.follower.post(1, kReceive);
  links.talk();
  EXPECT_FALSE(links.leader.link.idle());
  links.finish_groups();
  EXPECT_TRUE(links.leader.link.idle());
  EXPECT_TRUE(links.follower.link.idle());
  links.follower.post(2, kReceive);
  links.talk();
  EXPECT_FALSE(links.leader.link.idle()) << "the peer waits for something";
  links.leader.post(2, kSend);
  links.talk();
  links.finish_groups();
  links.leader.link.evict(4);
  links.leader.act();
  EXPECT_EQ(links.leader.link.failure().status, DUET_PEER_LOST);
  EXPECT_THAT(links.leader.link.failure().text, HasSubstr("communicators = 4"));
  links.talk();
  EXPECT_TRUE(links.follower.link.failed());
}

TEST(Link, APeerThatBreaksTheProtocolIsLeft) {
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

TEST(Link, TooManyWaitingAreToldToComeAgain) {
  End end(true);
  std::uint64_t id = 0;
  while (end.link.post({++id, true, &end.memory, 1, 0, true}) == DUET_OK && id < 100'000) {
  }
  EXPECT_LT(id, 100'000u);
  EXPECT_EQ(end.link.post({++id, false, &end.memory, 1, 0, true}), DUET_OK) << "the other way has room";
  end.link.close();
  end.act();
  EXPECT_GT(end.done.size(), 1000u);
}

TEST(Link, TicksBeforeAnythingHappenedDoNothing) {
  End end(true);
  EXPECT_EQ(end.link.next_deadline(), 0u);
  end.link.tick(1000 * kSecond);
  end.link.released();
  end.link.groups_finished(0);
  EXPECT_EQ(end.link.phase(), Link::Phase::kDialing);
}

}  // namespace
}  // namespace duet::nccl
