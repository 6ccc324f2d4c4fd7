#pragma once

#include <string>
#include <utility>
#include <vector>

#include "options/launcher.h"

namespace duet::options {

/// Variables that look like one of ours but are not, each with the one that was probably meant. A misspelt
/// variable is simply not set, and nobody would notice.
std::vector<std::pair<std::string, std::string>> find_misspelt(const Variables& variables);

}  // namespace duet::options
