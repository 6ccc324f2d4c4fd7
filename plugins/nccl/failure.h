#pragma once

#include <string>

#include "shared/failure.h"

namespace duet::nccl {

using plugins::copy_text;
using plugins::Failure;
using plugins::FailureError;
using plugins::Host;
using plugins::write_error;

/// "Connection refused (111)".
std::string system_error_text(int error);

}  // namespace duet::nccl
