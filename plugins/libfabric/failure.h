#pragma once

#include <string>

#include "shared/failure.h"

namespace duet::libfabric {

using plugins::copy_text;
using plugins::Failure;
using plugins::FailureError;
using plugins::Host;
using plugins::write_error;

/// "Connection refused (111)" for a libfabric code of either sign.
std::string fabric_error_text(int code);

}  // namespace duet::libfabric
