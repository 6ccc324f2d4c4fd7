#include "exchange/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "duet/error.h"

namespace duet::exchange {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Buffer buffer(std::vector<float>& data, std::string name = {}) {
  return {data.data(), data.size(), DType::kFloat32, std::move(name), {}};
}

std::string refusal(const std::vector<Buffer>& buffers, std::size_t block_bytes = 64) {
  try {
    Replica replica(buffers, true, block_bytes);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Replica, CutsEveryBufferIntoBlocksThatCoverItOnce) {
  std::vector<float> a(100), b(7), none, c(64);
  Replica replica({buffer(a), buffer(b), buffer(none), buffer(c)}, true, 32 * sizeof(float));
  EXPECT_EQ(replica.elements(), 171U);
  EXPECT_EQ(replica.largest_block(), 32U);
  ASSERT_EQ(replica.block_count(), 4U + 1U + 2U);
  EXPECT_EQ(replica.parameter_block_count(), replica.block_count());
  for (std::size_t k = 0; k < replica.block_count(); ++k) {
    const Block& block = replica.block(k);
    for (std::size_t i = 0; i < block.count; ++i)
      block.floats()[i] += 1.0F;
  }
  for (const auto* data : {&a, &b, &c})
    EXPECT_THAT(*data, ::testing::Each(1.0F));
  std::vector<std::size_t> offsets, counts;
  for (std::size_t k = 0; k < replica.block_count(); ++k) {
    offsets.push_back(replica.block(k).offset);
    counts.push_back(replica.block(k).count);
  }
  EXPECT_THAT(offsets, ::testing::ElementsAre(0, 32, 64, 96, 100, 107, 139));
  EXPECT_THAT(counts, ::testing::ElementsAre(32, 32, 32, 4, 7, 32, 32));
}

TEST(Replica, StartsWithNothingPendingOnCacheLinesOfItsOwn) {
  std::vector<float> a(37), b(5);
  Replica replica({buffer(a), buffer(b)}, true, 1 << 20);
  for (std::size_t k = 0; k < replica.block_count(); ++k) {
    const Block& block = replica.block(k);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.d) % 64, 0U);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.z) % 64, 0U);
    for (std::size_t i = 0; i < block.count; ++i) {
      EXPECT_EQ(block.d[i], 0.0F);
      EXPECT_EQ(block.z[i], 0.0F);
    }
  }
}

TEST(Replica, HasNoMomentumWhenTheAlgorithmHasNone) {
  std::vector<float> a(10);
  Replica replica({buffer(a)}, false, 64);
  EXPECT_FALSE(replica.has_momentum());
  EXPECT_EQ(replica.block(0).z, nullptr);
}

TEST(Replica, PutsStatisticsBehindTheParametersAndGivesThemNoMomentum) {
  std::vector<float> statistics(20), parameters(20);
  Buffer first = buffer(statistics);
  first.role = BufferRole::kStatistics;
  first.every = 3;
  Replica replica({first, buffer(parameters)}, true, 64);
  ASSERT_EQ(replica.block_count(), 4U);
  EXPECT_EQ(replica.parameter_block_count(), 2U);
  EXPECT_EQ(replica.block(0).floats(), parameters.data());
  EXPECT_NE(replica.block(0).z, nullptr);
  EXPECT_EQ(replica.block(0).offset, 20U);
  EXPECT_EQ(replica.block(2).floats(), statistics.data());
  EXPECT_EQ(replica.block(2).z, nullptr);
  EXPECT_EQ(replica.block(2).every, 3);
  EXPECT_EQ(replica.block(3).offset, 16U);
}

TEST(Replica, DeliversTheBlocksThatSomethingCameForAndOnlyOnce) {
  std::vector<float> a(8, 1.0F);
  Replica replica({buffer(a)}, false, 4 * sizeof(float));
  replica.block(0).d[1] = 2.0F;
  replica.block(1).d[1] = 4.0F;
  replica.deliver();
  EXPECT_THAT(a, ::testing::Each(1.0F)) << "nobody said that something came";
  replica.set_pending(1);
  replica.deliver();
  EXPECT_THAT(a, ::testing::ElementsAre(1, 1, 1, 1, 1, 5, 1, 1));
  EXPECT_EQ(replica.block(1).d[1], 0.0F);
  replica.deliver();
  EXPECT_THAT(a, ::testing::ElementsAre(1, 1, 1, 1, 1, 5, 1, 1));
  replica.set_pending();
  replica.deliver();
  EXPECT_THAT(a, ::testing::ElementsAre(1, 3, 1, 1, 1, 5, 1, 1));
}

TEST(Replica, ForgetsWhatWasPending) {
  std::vector<float> a(8, 1.0F);
  Replica replica({buffer(a)}, true, 16);
  replica.block(1).d[0] = 3.0F;
  replica.set_pending();
  replica.clear_pending();
  replica.deliver();
  EXPECT_THAT(a, ::testing::Each(1.0F));
}

TEST(Replica, NamesTheBufferThatItRefuses) {
  std::vector<float> good(10), bad(11);
  Buffer null = buffer(bad, "layer1.weight");
  null.data = nullptr;
  EXPECT_THAT(refusal({buffer(good), null}), AllOf(HasSubstr("buffer 1 of 2"), HasSubstr("layer1.weight"),
                                                   HasSubstr("11 elements"), HasSubstr("null")));
  Buffer crooked = buffer(bad, "crooked");
  crooked.data = static_cast<char*>(crooked.data) + 1;
  crooked.count = 4;
  EXPECT_THAT(refusal({crooked}), AllOf(HasSubstr("crooked"), HasSubstr("align")));
  Buffer negative = buffer(bad, "running_mean");
  negative.every = -2;
  EXPECT_THAT(refusal({negative}), AllOf(HasSubstr("running_mean"), HasSubstr("-2")));
}

TEST(Replica, RefusesTwoBuffersOverTheSameMemory) {
  std::vector<float> a(10), b(10);
  Buffer tail = buffer(a, "tail");
  tail.data = a.data() + 9;
  tail.count = 1;
  EXPECT_THAT(refusal({tail, buffer(b, "b"), buffer(a, "whole")}),
              AllOf(HasSubstr("tail"), HasSubstr("whole"), HasSubstr("share memory")));
  tail.data = a.data() + 5;
  tail.count = 5;
  Buffer head = buffer(a, "head");
  head.count = 5;
  EXPECT_EQ(refusal({tail, head}), "accepted") << "neighbours share nothing";
}

TEST(Replica, RefusesToTrainNothing) {
  std::vector<float> none;
  EXPECT_THAT(refusal({}), HasSubstr("no buffers"));
  EXPECT_THAT(refusal({buffer(none), buffer(none)}), HasSubstr("all 2 buffers are empty"));
  std::vector<float> some(4);
  EXPECT_THAT(refusal({buffer(some)}, 3), HasSubstr("block_bytes"));
}

}  // namespace
}  // namespace duet::exchange
