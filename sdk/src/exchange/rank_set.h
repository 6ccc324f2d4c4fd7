#pragma once

#include <cstddef>
#include <vector>

/// Sets of ranks as they travel behind a final average: bit r % 8 of byte r / 8 stands for rank r. Functions
/// over plain bytes, because they are read and written where the block lies.
namespace duet::exchange {

/// Bytes of a set of ranks below world_size.
std::size_t rank_set_bytes(int world_size);
void add_rank(std::byte* set, int rank);
/// set ∪= other. False, and nothing happens: they have a rank in common.
bool add_disjoint(std::byte* set, const std::byte* other, std::size_t bytes);
std::size_t count_ranks(const std::byte* set, std::size_t bytes);
/// Whether it holds no rank from world_size on.
bool ranks_are_below(const std::byte* set, int world_size);
std::vector<int> ranks_of(const std::byte* set, std::size_t bytes);  ///< ascending

}  // namespace duet::exchange
