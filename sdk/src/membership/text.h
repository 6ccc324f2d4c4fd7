#pragma once

#include <string>
#include <vector>

namespace duet::membership {

/// "rank 3", "ranks 1, 4 to 7 and 9": ascending ranks for people.
std::string rank_list(const std::vector<int>& ranks);

}  // namespace duet::membership
