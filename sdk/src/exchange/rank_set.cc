#include "exchange/rank_set.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace duet::exchange {
namespace {

constexpr int kBits = 8;

std::uint8_t bits(std::byte value) {
  return std::to_integer<std::uint8_t>(value);
}

}  // namespace

std::size_t rank_set_bytes(int world_size) {
  return (static_cast<std::size_t>(world_size) + kBits - 1) / kBits;
}

void add_rank(std::byte* set, int rank) {
  set[rank / kBits] |= std::byte{1} << (rank % kBits);
}

bool add_disjoint(std::byte* set, const std::byte* other, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    if ((set[i] & other[i]) != std::byte{0}) return false;
  }
  std::transform(set, set + bytes, other, set, [](std::byte a, std::byte b) { return a | b; });
  return true;
}

std::size_t count_ranks(const std::byte* set, std::size_t bytes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    count += static_cast<std::size_t>(std::popcount(bits(set[i])));
  return count;
}

bool ranks_are_below(const std::byte* set, int world_size) {
  const int used = world_size % kBits;  // bits of the last byte; 0: all of it
  return used == 0 || bits(set[world_size / kBits]) >> used == 0;
}

std::vector<int> ranks_of(const std::byte* set, std::size_t bytes) {
  std::vector<int> ranks;
  for (int rank = 0; rank < static_cast<int>(bytes) * kBits; ++rank) {
    if ((bits(set[rank / kBits]) >> (rank % kBits) & 1) != 0) ranks.push_back(rank);
  }
  return ranks;
}

}  // namespace duet::exchange
