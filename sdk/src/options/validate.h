#pragma once

#include <string>

#include "duet/options.h"

namespace duet::options {

/// "rate = -1 (DUET_RATE)": how messages speak of a setting.
std::string origin_of(const Options& options, const std::string& name);
/// Throws ConfigurationError unless rank and local rank are below the world size.
void require_ranks(const Options& options);

}  // namespace duet::options
