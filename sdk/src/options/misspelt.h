#pragma once

#include <string>
#include <utility>
#include <vector>

#include "options/launcher.h"

namespace duet::options {

/// Variables that begin like ours and are none, each with the one that was probably meant, or nothing where
/// no name is close. A misspelt variable is simply not set, and nobody would notice.
std::vector<std::pair<std::string, std::string>> find_unknown(const Variables& variables);

}  // namespace duet::options
