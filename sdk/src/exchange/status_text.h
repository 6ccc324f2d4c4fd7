#pragma once

#include <string>

#include "transport/transport.h"

namespace duet::exchange {

/// Why an operation on `connection` ended with `status`, for a message; names the peer.
std::string failure_text(transport::Connection& connection, duet_status status);

}  // namespace duet::exchange
