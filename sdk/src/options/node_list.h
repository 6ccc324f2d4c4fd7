#pragma once

#include <string>
#include <string_view>

namespace duet::options {

/// The first host of a list in Slurm's notation: "node[03-07,9],login1" → "node03". Empty when it cannot be
/// read.
std::string first_host(std::string_view list);

}  // namespace duet::options
