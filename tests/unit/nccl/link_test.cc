/// What is launched, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "link_ends.h"

namespace duet::nccl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
