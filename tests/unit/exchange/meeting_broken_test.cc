#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <tuple>
#include <vector>

#include "dynamics/passes.h"
#include "exchange/block_header.h"
#include "exchange/meeting.h"
#include "unit/exchange/endpoints.h"

namespace duet::exchange {
namespace {

using test::drive;
using test::plan;
using test::Snapshot;
using test::Worker;
using ::testing::HasSubstr;

constexpr std::size_t kBlockElements = 100;
constexpr std::size_t kBlocks = 7;
constexpr int kDepth = 3;

using Block = std::vector<std::byte>;

/// The other side of a meeting, by hand: it says what it is told to.
class HandMadePeer {
 public:
  HandMadePeer(transport::Connection& connection, const MeetingPlan& agreed)
      : connection_(&connection), plan_(agreed) {
    // Takes whatever comes, so that the other side's sends end.
    for (std::size_t k = 0; k < kBlocks; ++k) {
      taken_.emplace_back(kBlockHeaderBytes + kBlockElements * sizeof(float));
      EXPECT_TRUE(connection_->receive(taken_.back().data(), taken_.back().size(), 0,
                                       [](duet_status, std::uint64_t) {}));
    }
  }

  BlockHeader header(std::size_t k) const {
    BlockHeader made;
    made.exchange = plan_.meeting;
    made.index = static_cast<std::uint32_t>(k);
    made.blocks = kBlocks;
    made.in_flight = kDepth;
    made.payload_bytes = kBlockElements * sizeof(float);
    return made;
  }

  static float value(std::size_t k, std::size_t i) {
    return static_cast<float>(k) + 0.01F * static_cast<float>(i);
  }

  Block block(const BlockHeader& with, std::uint64_t token, std::size_t k, float first = 0.5F) const {
    Block made(kBlockHeaderBytes + with.payload_bytes);
    for (std::size_t i = 0; i < with.payload_bytes / sizeof(float); ++i) {
      const float element = i == 0 ? first : value(k, i);
      std::memcpy(made.data() + kBlockHeaderBytes + i * sizeof element, &element, sizeof element);
    }
    seal_block(with, token, made.data());
    return made;
  }
  Block good(std::size_t k) const { return block(header(k), plan_.token, k); }
  std::uint64_t token() const { return plan_.token; }

  void send(Block block) {
    sent_.push_back(std::move(block));
    EXPECT_TRUE(
        connection_->send(sent_.back().data(), sent_.back().size(), 0, [](duet_status, std::uint64_t) {}));
  }

 private:
  transport::Connection* connection_;
  MeetingPlan plan_;
  std::deque<Block> taken_, sent_;  // lent; never moved
};

struct Fault {
  const char* name;
  bool rejected;
  const char* message;
  /// What comes in place of block k; null: nothing does.
  std::function<Block(const HandMadePeer&, std::size_t k)> block;
  bool closes = false;
};

Block with_header(const HandMadePeer& peer, std::size_t k, const std::function<void(BlockHeader&)>& change) {
  BlockHeader header = peer.header(k);
  change(header);
  return peer.block(header, peer.token(), k);
}

const std::vector<Fault>& faults() {
  static const std::vector<Fault> all{
      {"silence", false, "no progress", nullptr},
      {"closes", false, "worker b", nullptr, true},
      {"damaged_payload", true, "checksum",
       [](const HandMadePeer& peer, std::size_t k) {
         Block block = peer.good(k);
         block.back() ^= std::byte{1};
         return block;
       }},
      {"damaged_header", true, "refused",
       [](const HandMadePeer& peer, std::size_t k) {
         Block block = peer.good(k);
         block[0] ^= std::byte{1};
         return block;
       }},
      {"wrong_token", true, "token",
       [](const HandMadePeer& peer, std::size_t k) {
         return peer.block(peer.header(k), peer.token() + 1, k);
       }},
      {"another_meeting", true, "belongs to",
       [](const HandMadePeer& peer, std::size_t k) {
         return with_header(peer, k, [](BlockHeader& header) { ++header.exchange; });
       }},
      {"another_index", true, "instead of",
       [](const HandMadePeer& peer, std::size_t k) {
         return with_header(peer, k, [](BlockHeader& header) { ++header.index; });
       }},
      {"another_cut", true, "block_bytes",
       [](const HandMadePeer& peer, std::size_t k) {
         return with_header(peer, k, [](BlockHeader& header) { ++header.blocks; });
       }},
      {"another_depth", true, "blocks_in_flight",
       [](const HandMadePeer& peer, std::size_t k) {
         return with_header(peer, k, [](BlockHeader& header) { ++header.in_flight; });
       }},
      {"another_type", true, "wire's type",
       [](const HandMadePeer& peer, std::size_t k) {
         return with_header(peer, k, [](BlockHeader& header) { header.dtype = DType::kBFloat16; });
       }},
      {"too_short", true, "bytes long",
       [](const HandMadePeer& peer, std::size_t k) {
         return with_header(peer, k, [](BlockHeader& header) { header.payload_bytes -= sizeof(float); });
       }},
      {"nearly_nothing", true, "shorter than a block's header",
       [](const HandMadePeer&, std::size_t) { return Block(5); }},
      {"not_a_number", true, "not finite",
       [](const HandMadePeer& peer, std::size_t k) {
         return peer.block(peer.header(k), peer.token(), k, std::numeric_limits<float>::quiet_NaN());
       }},
      {"infinity", true, "not finite",
       [](const HandMadePeer& peer, std::size_t k) {
         return peer.block(peer.header(k), peer.token(), k, -std::numeric_limits<float>::infinity());
       }},
      {"difference_overflows", true, "not finite",
       [](const HandMadePeer& peer, std::size_t k) {
         return peer.block(peer.header(k), peer.token(), k, std::numeric_limits<float>::infinity());
       }},
  };
  return all;
}

class BrokenMeeting : public ::testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {};

TEST_P(BrokenMeeting, AppliesWhatWasGoodAndNothingBeyond) {
  const Fault& fault = faults()[std::get<0>(GetParam())];
  const std::size_t at = std::get<1>(GetParam());
  Worker a({kBlocks * kBlockElements}, true, kBlockElements * sizeof(float), 1, kDepth);
  Worker b({kBlocks * kBlockElements}, true, kBlockElements * sizeof(float), 2, kDepth);
  auto [to_b, to_a] = test::connect(*a.context, "worker a", *b.context, "worker b");

  MeetingPlan agreed = plan(77, 0.15, 0.9);
  auto expected = test::snapshots(*a.replica);
  HandMadePeer peer(*to_a, agreed);
  for (std::size_t k = 0; k < kBlocks; ++k) {
    Snapshot& block = expected[k];
    if (k >= at) {
      dynamics::mix(block.d.data(), block.z.data(), kBlockElements, 0.15F);
      continue;
    }
    std::vector<float> s(kBlockElements);
    dynamics::snapshot(block.x.data(), block.d.data(), block.z.data(), s.data(), DType::kFloat32,
                       kBlockElements, 0.15F);
    const Block good = peer.good(k);
    dynamics::apply(block.d.data(), block.z.data(), s.data(), good.data() + kBlockHeaderBytes,
                    DType::kFloat32, kBlockElements, 0.5F, 0.9F);
  }

  Meeting meeting(*a.replica, *to_b, a.staging, agreed, test::seconds());
  const std::vector<transport::Context*> both{a.context.get(), b.context.get()};
  for (std::size_t k = 0; k < at; ++k)
    peer.send(peer.good(k));
  ASSERT_TRUE(drive(both, [&] {
    EXPECT_FALSE(meeting.advance(test::seconds()));
    return meeting.result().blocks_applied == at;
  }));
  if (fault.closes) {
    to_a.reset();
  } else if (fault.block) {
    peer.send(fault.block(peer, at));
    // Good ones behind a bad one do not help. No more than there are receives for: in some transports a
    // message that nobody waits for holds up everything behind it.
    for (std::size_t k = at + 1; k < std::min(kBlocks, at + kDepth); ++k)
      peer.send(peer.good(k));
  }
  double skipped = 0.0;
  EXPECT_TRUE(drive(both, [&] {
    // Nothing comes any more: let the time pass.
    if (!fault.block && !fault.closes) skipped += 1000.0;
    return meeting.advance(test::seconds() + skipped);
  }));

  const MeetingResult& result = meeting.result();
  EXPECT_FALSE(result.complete);
  EXPECT_FALSE(result.connection_usable);
  EXPECT_EQ(result.rejected, fault.rejected) << result.error;
  EXPECT_EQ(result.blocks_applied, at);
  EXPECT_THAT(result.error, HasSubstr(fault.message));
  EXPECT_THAT(result.error, HasSubstr("worker b"));
  EXPECT_EQ(test::snapshots(*a.replica), expected);

  // Once the connection is closed all staging comes back, and a new meeting on a new one is as good as any.
  to_b.reset();
  to_a.reset();
  EXPECT_TRUE(drive(both, [&] { return a.staging->lent() == 0; }));
  std::tie(to_b, to_a) = test::connect(*a.context, "worker a", *b.context, "worker b");
  agreed = plan(78, 0.1, 0.9);
  Meeting again(*a.replica, *to_b, a.staging, agreed, test::seconds());
  Meeting other(*b.replica, *to_a, b.staging, agreed, test::seconds());
  EXPECT_TRUE(drive(both, [&] {
    const bool one = again.advance(test::seconds());
    return other.advance(test::seconds()) && one;
  }));
  EXPECT_TRUE(again.result().complete) << again.result().error;
}

INSTANTIATE_TEST_SUITE_P(AtEveryBlock, BrokenMeeting,
                         ::testing::Combine(::testing::Range<std::size_t>(0, 15),
                                            ::testing::Range<std::size_t>(0, kBlocks)),
                         [](const auto& which) {
                           return std::string(faults()[std::get<0>(which.param)].name) + "_at_" +
                                  std::to_string(std::get<1>(which.param));
                         });

TEST(BrokenMeetings, AreAllTried) {
  EXPECT_EQ(faults().size(), 15U);
}

TEST(BrokenMeetings, RefuseOnesOwnParametersToo) {
  Worker a({300}, true, 100 * sizeof(float), 1);
  Worker b({300}, true, 100 * sizeof(float), 2);
  a.parameters[0][150] = std::numeric_limits<float>::quiet_NaN();
  const auto before = test::snapshots(*b.replica);
  auto [to_b, to_a] = test::connect(*a.context, "worker a", *b.context, "worker b");
  Meeting one(*a.replica, *to_b, a.staging, plan(1, 0.0, 0.5), test::seconds());
  Meeting other(*b.replica, *to_a, b.staging, plan(1, 0.0, 0.5), test::seconds());
  EXPECT_TRUE(drive({a.context.get(), b.context.get()}, [&] {
    const bool first = one.advance(test::seconds());
    return other.advance(test::seconds()) && first;
  }));
  for (const Meeting* meeting : {&one, &other}) {
    EXPECT_TRUE(meeting->result().rejected);
    EXPECT_EQ(meeting->result().blocks_applied, 1U);
    EXPECT_THAT(meeting->result().error, HasSubstr("diverged"));
  }
  const auto after = test::snapshots(*b.replica);
  EXPECT_NE(after[0], before[0]);
  EXPECT_EQ(after[1], before[1]);
  EXPECT_EQ(after[2], before[2]);
}

/// Closed at any moment, seen from both sides: they differ by no more than what was in flight.
TEST(BrokenMeetings, LeaveTheTwoApartByTheBlocksInFlightAtMost) {
  for (int turns = 0; turns < 30; ++turns) {
    Worker a({kBlocks * kBlockElements}, true, kBlockElements * sizeof(float), 1, kDepth);
    Worker b({kBlocks * kBlockElements}, true, kBlockElements * sizeof(float), 2, kDepth);
    auto [to_b, to_a] = test::connect(*a.context, "worker a", *b.context, "worker b");
    Meeting one(*a.replica, *to_b, a.staging, plan(1, 0.1, 0.5), test::seconds());
    Meeting other(*b.replica, *to_a, b.staging, plan(1, 0.1, 0.5), test::seconds());
    for (int turn = 0; turn < turns; ++turn) {
      (turn % 2 == 0 ? a : b).context->poll(0);
      (turn % 2 == 0 ? one : other).advance(test::seconds());
    }
    one.abort("this worker leaves");
    const bool had_ended = one.result().complete;
    EXPECT_TRUE(drive({a.context.get()}, [&] { return one.advance(test::seconds()); }));
    to_b.reset();
    EXPECT_TRUE(drive({a.context.get(), b.context.get()}, [&] { return other.advance(test::seconds()); }));
    EXPECT_EQ(one.result().complete, had_ended);
    const auto applied = [](const Meeting& meeting) {
      return static_cast<int>(meeting.result().blocks_applied);
    };
    EXPECT_LE(std::abs(applied(one) - applied(other)), kDepth) << "after " << turns << " turns";
  }
}

/// The clock is one number: a trainer inside the gate delays the rest of the mixing, and does not prevent it.
TEST(BrokenMeetings, MixTheRestAsSoonAsTheGateIsFree) {
  Worker a({500}, true, 100 * sizeof(float), 1);
  Worker b({500}, true, 100 * sizeof(float), 2);
  auto [to_b, to_a] = test::connect(*a.context, "worker a", *b.context, "worker b");
  auto expected = test::snapshots(*a.replica);
  for (Snapshot& block : expected)
    dynamics::mix(block.d.data(), block.z.data(), 100, 0.25F);
  Meeting meeting(*a.replica, *to_b, a.staging, plan(1, 0.25, 0.5), test::seconds());
  a.replica->gate().enter_trainer();
  meeting.abort("the peer is gone");
  EXPECT_FALSE(meeting.advance(test::seconds()));
  EXPECT_TRUE(meeting.gate_busy());
  a.replica->gate().leave_trainer();
  EXPECT_TRUE(meeting.advance(test::seconds()));
  EXPECT_EQ(test::snapshots(*a.replica), expected);
}

}  // namespace
}  // namespace duet::exchange
