#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "exchange/block_header.h"
#include "exchange/pass_memory.h"
#include "exchange/tree_pass.h"
#include "unit/exchange/forest.h"

namespace duet::exchange {
namespace {

using test::Forest;
using test::make_tree;
using ::testing::HasSubstr;

constexpr std::uint64_t kTreeToken = 0x9E3779B97F4A7C15;  // tree_pass.cc's

/// Somebody at the other end of a connection who says whatever a test wants.
class Liar {
 public:
  explicit Liar(transport::Connection& connection) : connection_(connection) {}
  void send(std::uint32_t members, const std::vector<std::byte>& payload, std::uint32_t index,
            std::uint32_t blocks) {
    BlockHeader header;
    header.kind = BlockKind::kTreeUp;
    header.exchange = 1;
    header.index = index;
    header.blocks = blocks;
    header.in_flight = PassMemory::kInFlight;
    header.members = members;
    header.payload_bytes = payload.size();
    sent_.emplace_back(kBlockHeaderBytes + payload.size());
    std::copy(payload.begin(), payload.end(), sent_.back().begin() + kBlockHeaderBytes);
    seal_block(header, kTreeToken ^ 1, sent_.back().data());
    ASSERT_TRUE(connection_.send(sent_.back().data(), sent_.back().size(), test::deadline_in(20),
                                 [](duet_status, std::uint64_t) {}));
  }

 private:
  transport::Connection& connection_;
  std::deque<std::vector<std::byte>> sent_;
};

/// What a root with two children says about the members that they count: one tells the truth.
std::string root_of_three_told(std::uint32_t members, std::byte listed) {
  Forest forest(make_tree("star", 3), 4, 16, false);  // a block each of both buffers
  const auto root = forest.pass(0, TreeOperation::kFinalAverage, 1);
  const std::vector<std::vector<std::byte>> payloads{std::vector<std::byte>(12), std::vector<std::byte>(4)};
  Liar honest(*forest.links(1).parent), liar(*forest.links(2).parent);
  for (std::uint32_t k = 0; k < 2; ++k) {
    honest.send(1, payloads[k], k, 3);
    liar.send(members, payloads[k], k, 3);
  }
  honest.send(1, {std::byte{0b010}}, 2, 3);
  liar.send(members, {listed}, 2, 3);
  std::vector<transport::Context*> contexts;
  for (const auto& worker : forest.workers)
    contexts.push_back(worker->context.get());
  test::drive(
      contexts, [&] { return root->advance(test::seconds()) || root->members() > 0; }, 10.0);
  for (int turn = 0; turn < 50; ++turn) {
    for (transport::Context* context : contexts)
      context->poll(0);
    root->advance(test::seconds());
  }
  forest.close(1);
  forest.close(2);
  return root->error();
}

TEST(TreePass, RefusesMembersThatCannotBe) {
  EXPECT_EQ(root_of_three_told(1, std::byte{0b100}), "");
  EXPECT_THAT(root_of_three_told(0, std::byte{0b000}), HasSubstr("counts 0 members of a run of 3"));
  EXPECT_THAT(root_of_three_told(4, std::byte{0b100}), HasSubstr("counts 4 members of a run of 3"));
  // 1 + 1 + this is 0 in 32 bits: the sums would be divided by it.
  EXPECT_THAT(root_of_three_told(0xFFFFFFFE, std::byte{0b100}),
              HasSubstr("counts 4294967294 members of a run of 3"));
  EXPECT_THAT(root_of_three_told(3, std::byte{0b111}), HasSubstr("with it 5 members of a run of 3"));
  EXPECT_THAT(root_of_three_told(1, std::byte{0b110}), HasSubstr("counts 1 members and lists 2"));
  EXPECT_THAT(root_of_three_told(1, std::byte{0b1000}), HasSubstr("counts 1 members and lists 1"));
  EXPECT_THAT(root_of_three_told(1, std::byte{0b010}), HasSubstr("lists a member that is counted already"));
}

TEST(TreePass, HasNothingToPassOnBeforeItsFirstAverage) {
  Forest forest(make_tree("path", 1), 20, 16);
  const auto pass = forest.pass(0, TreeOperation::kAverage, 1, true);
  EXPECT_TRUE(pass->advance(test::seconds()));
  EXPECT_FALSE(pass->complete());
  EXPECT_THAT(pass->error(), HasSubstr("no result to pass on"));
}

}  // namespace
}  // namespace duet::exchange
