#include "membership/roster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "duet/error.h"

namespace duet::membership {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;

Entry entry(int rank) {
  Entry entry;
  entry.rank = rank;
  entry.world_size = 4;
  entry.incarnation = {100u + static_cast<unsigned>(rank), 1};
  entry.host = "node-" + std::to_string(rank);
  entry.pid = 1000 + rank;
  entry.control_address = "tcp://127.0.0.1:" + std::to_string(40000 + rank);
  entry.transports = {{"libfabric", "address"}};
  entry.schema_hash = 77;
  entry.schema = "weight float32 10x20\nbias float32 10\nscale float32 1";
  entry.options = "algorithm=a2cid2, graph=ring, rate=1";
  return entry;
}

/// What require_compatible() says of entries 1 and 2 after `change` to the latter.
std::string refusal(const std::function<void(Entry&)>& change) {
  Entry changed = entry(2);
  change(changed);
  try {
    require_compatible(entry(1), changed);
  } catch (const MembershipError& error) {
    return error.what();
  }
  return "";
}

TEST(Incarnation, IsRandomAndReadsAsAUuid) {
  std::set<Incarnation> seen;
  for (int i = 0; i < 1000; ++i) {
    const Incarnation incarnation = Incarnation::random();
    EXPECT_TRUE(seen.insert(incarnation).second);
    EXPECT_THAT(incarnation.text(),
                MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  }
  EXPECT_EQ((Incarnation{0x0123456789abcdef, 0xfedcba9876543210}).text(),
            "01234567-89ab-cdef-fedc-ba9876543210");
}

TEST(Compatible, WorkersThatDifferOnlyInThemselvesAre) {
  EXPECT_NO_THROW(require_compatible(entry(0), entry(3)));
  EXPECT_NO_THROW(require_compatible(entry(1), entry(1)));  // the same one again
}

TEST(Compatible, EveryRefusalNamesBothSides) {
  const std::function<void(Entry&)> changes[] = {
      [](Entry& other) { other.world_size = 8; },
      [](Entry& other) { other.rank = 1; },
      [](Entry& other) { other.rank = 7; },
      [](Entry& other) { other.schema_hash = 78; },
      [](Entry& other) {
        other.transports = {{"nccl", "address"}};
      },
      [](Entry& other) { other.options = "algorithm=adpsgd"; },
  };
  for (const auto& change : changes) {
    EXPECT_THAT(refusal(change),
                AllOf(HasSubstr("rank 1 (pid 1001 on node-1)"), HasSubstr("pid 1002 on node-2")));
  }
}

TEST(Compatible, WorldSizesAreNamed) {
  EXPECT_THAT(refusal([](Entry& other) { other.world_size = 8; }),
              HasSubstr("expects 4 workers, the other 8"));
}

TEST(Compatible, TheSameRankTwiceIsRefused) {
  EXPECT_THAT(refusal([](Entry& other) { other.rank = 1; }), HasSubstr("both claim the same rank"));
}

TEST(Compatible, TheFirstDifferingTensorIsNamed) {
  EXPECT_THAT(refusal([](Entry& other) {
                other.schema_hash = 78;
                other.schema = "weight float32 10x20\nbias float32 11\nscale float32 2";
              }),
              HasSubstr("tensor 2 is \"bias float32 10\" on rank 1 and \"bias float32 11\" on rank 2"));
  EXPECT_THAT(refusal([](Entry& other) {
                other.schema_hash = 78;
                other.schema = "weight float32 10x20\nbias float32 10";
              }),
              HasSubstr("tensor 3 is \"scale float32 1\" on rank 1 and nothing on rank 2"));
  EXPECT_THAT(refusal([](Entry& other) { other.schema_hash = 78; }),
              HasSubstr("beyond what their shortened"));
}

TEST(Compatible, TheFirstDifferingOptionIsNamed) {
  EXPECT_THAT(refusal([](Entry& other) { other.options = "algorithm=a2cid2, graph=star, rate=1"; }),
              HasSubstr("\"graph=ring\" against \"graph=star\""));
  EXPECT_THAT(refusal([](Entry& other) {
                other.transports = {{"nccl", "address"}};
              }),
              HasSubstr("\"libfabric\", the other \"nccl\""));
}

TEST(Compatible, InprocJoinsNoTwoProcesses) {
  Entry first = entry(0), second = entry(3);
  first.transports = second.transports = {{"inproc", "a"}};
  try {
    require_compatible(first, second);
    ADD_FAILURE() << "two processes";
  } catch (const MembershipError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("in the same process"), HasSubstr("DUET_TRANSPORT=libfabric")));
  }
  second.pid = first.pid;
  EXPECT_THROW(require_compatible(first, second), MembershipError) << "on another machine";
  second.host = first.host;
  EXPECT_NO_THROW(require_compatible(first, second));
  second.pid = first.pid + 1;
  first.transports.push_back({"libfabric", "b"});
  second.transports.push_back({"libfabric", "c"});
  EXPECT_NO_THROW(require_compatible(first, second)) << "they have another, too";
}

TEST(Compatible, OneTransportInCommonWillDo) {
  Entry first = entry(0), second = entry(3);
  first.transports = {{"nccl", "a"}, {"libfabric", "b"}};
  EXPECT_NO_THROW(require_compatible(first, second));
}

std::vector<Entry> with_transports(const std::vector<std::vector<std::string>>& names) {
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < names.size(); ++i) {
    entries.push_back(entry(static_cast<int>(i)));
    entries.back().transports.clear();
    for (const std::string& name : names[i])
      entries.back().transports.push_back({name, name + std::to_string(i)});
  }
  return entries;
}

TEST(ChooseTransport, TakesTheFirstOfRankZerosThatAllHave) {
  EXPECT_EQ(choose_transport(with_transports({{"nccl", "libfabric", "unix"}, {"unix", "libfabric"}})),
            "libfabric");
  EXPECT_EQ(choose_transport(with_transports({{"unix"}, {"libfabric", "unix"}})), "unix");
}

TEST(ChooseTransport, SaysWhoHasWhatWhenAllHaveNoneInCommon) {
  // Any two share one.
  try {
    choose_transport(with_transports({{"a", "b"}, {"b", "c"}, {"c", "a"}}));
    FAIL();
  } catch (const MembershipError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("rank 1"), HasSubstr("\"b\" or \"c\"")));
  }
}

TEST(Roster, KnowsWhereEachIsReachedOverTheTransportInUse) {
  Roster roster;
  roster.entries = with_transports({{"libfabric", "unix"}, {"unix", "libfabric"}});
  roster.transport = "unix";
  EXPECT_EQ(roster.transport_address(0), "unix0");
  EXPECT_EQ(roster.transport_address(1), "unix1");
}

}  // namespace
}  // namespace duet::membership
