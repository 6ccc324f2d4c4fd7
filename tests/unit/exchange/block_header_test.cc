#include "exchange/block_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

namespace duet::exchange {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kToken = 0x0123456789ABCDEF;

BlockHeader some_header() {
  BlockHeader header;
  header.kind = BlockKind::kTreeUp;
  header.exchange = 0x1122334455667788;
  header.index = 5;
  header.blocks = 9;
  header.in_flight = 4;
  header.members = 3;
  header.result = true;
  header.payload_bytes = 40;
  return header;
}

std::vector<std::byte> some_block(const BlockHeader& header = some_header(), std::uint64_t token = kToken) {
  std::vector<std::byte> block(kBlockHeaderBytes + header.payload_bytes);
  for (std::size_t i = 0; i < header.payload_bytes; ++i)
    block[kBlockHeaderBytes + i] = std::byte(i * 7);
  seal_block(header, token, block.data());
  return block;
}

std::string open(const std::vector<std::byte>& block, const BlockHeader& expected = some_header(),
                 std::uint64_t token = kToken) {
  BlockHeader found;
  return open_block(block.data(), block.size(), expected, token, found);
}

TEST(BlockHeader, OpensWhatItSealed) {
  BlockHeader expected = some_header();
  expected.members = 0;
  expected.result = false;
  const auto block = some_block();
  BlockHeader found;
  EXPECT_EQ(open_block(block.data(), block.size(), expected, kToken, found), "");
  EXPECT_EQ(found.members, 3U);
  EXPECT_TRUE(found.result);
  EXPECT_EQ(found.index, 5U);
}

TEST(BlockHeader, HasAFixedLayout) {
  const auto block = some_block();
  const std::array<unsigned char, 48> expected{
      'D', 'U', 'T', 'B', 2, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
      5,   0,   0,   0,   9, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 40,   0,    0,    0,    0,    0,    0,    0};
  EXPECT_EQ(std::memcmp(block.data(), expected.data(), expected.size()), 0);
}

/// A payload that stays on a device.
TEST(BlockHeader, CanBeSealedAlone) {
  auto block = some_block();
  seal_header(some_header(), kToken, block.data());
  BlockHeader found;
  EXPECT_EQ(open_header(block.data(), block.size(), some_header(), kToken, found), "");
  EXPECT_EQ(found.members, 3U);
  EXPECT_THAT(open_header(block.data(), block.size(), some_header(), kToken + 1, found), HasSubstr("token"));
  EXPECT_EQ(open_block(block.data(), block.size(), some_header(), kToken, found, true), "");
  EXPECT_THAT(open(block), HasSubstr("answer for it")) << "only where the transport does";
  for (std::size_t bit = 0; bit < kBlockHeaderBytes * 8; ++bit) {
    if (bit / 8 >= 56) break;  // the other checksum, which says nothing here
    block[bit / 8] ^= std::byte(1U << (bit % 8));
    EXPECT_NE(open_header(block.data(), block.size(), some_header(), kToken, found), "") << "bit " << bit;
    EXPECT_NE(open_block(block.data(), block.size(), some_header(), kToken, found, true), "")
        << "bit " << bit;
    block[bit / 8] ^= std::byte(1U << (bit % 8));
  }
}

/// From host memory, to a device: the payload's checksum is there, and cannot be read.
TEST(BlockHeader, OpensAloneWhatWasSealedWhole) {
  const auto block = some_block();
  BlockHeader found;
  EXPECT_EQ(open_header(block.data(), block.size(), some_header(), kToken, found), "");
  EXPECT_NE(open_header(block.data(), block.size() - 1, some_header(), kToken, found), "");
}

TEST(BlockHeader, SeesEveryFlippedBit) {
  auto block = some_block();
  for (std::size_t bit = 0; bit < block.size() * 8; ++bit) {
    block[bit / 8] ^= std::byte(1U << (bit % 8));
    EXPECT_NE(open(block), "") << "bit " << bit;
    block[bit / 8] ^= std::byte(1U << (bit % 8));
  }
  EXPECT_EQ(open(block), "");
}

TEST(BlockHeader, RefusesWhatDoesNotKnowTheToken) {
  EXPECT_THAT(open(some_block(some_header(), kToken + 1)), HasSubstr("token"));
}

TEST(BlockHeader, SaysWhatIsWrong) {
  const auto with = [](auto change) {
    BlockHeader header = some_header();
    change(header);
    return open(some_block(header));
  };
  EXPECT_THAT(with([](BlockHeader& h) { h.exchange = 1; }), HasSubstr("belongs to 0x1 instead of"));
  EXPECT_THAT(with([](BlockHeader& h) { h.index = 4; }), HasSubstr("block 4 instead of 5"));
  EXPECT_THAT(with([](BlockHeader& h) { h.blocks = 18; }), HasSubstr("block_bytes"));
  EXPECT_THAT(with([](BlockHeader& h) { h.in_flight = 16; }), HasSubstr("blocks_in_flight"));
  EXPECT_THAT(with([](BlockHeader& h) { h.kind = BlockKind::kMeeting; }), HasSubstr("a meeting instead of"));
  EXPECT_THAT(with([](BlockHeader& h) { h.dtype = DType::kBFloat16; }), HasSubstr("wire's type"));
  EXPECT_THAT(with([](BlockHeader& h) { h.payload_bytes = 36; }), HasSubstr("100 bytes long"));
  EXPECT_THAT(with([](BlockHeader& h) { h.payload_bytes = 44; }), HasSubstr("108 bytes long"));
}

TEST(BlockHeader, ReadsNothingBeyondWhatCame) {
  const auto whole = some_block();
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
    EXPECT_NE(open(part), "") << bytes << " bytes";
  }
}

TEST(BlockHeader, RefusesNoise) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::byte> block(kBlockHeaderBytes + 40);
    for (std::byte& byte : block)
      byte = std::byte(random() & 0xFF);
    EXPECT_NE(open(block), "");
  }
}

}  // namespace
}  // namespace duet::exchange
