#pragma once

#include <string>

#include "transport/transport.h"

namespace duet::transport {

/// Adds the setting "interface" = `address`, one of this machine's, unless there is one already or the
/// transport knows no such setting. For a run whose control sockets are on `address`: a transport that would
/// choose for itself might choose an interface, such as loopback, on which the others cannot reach it.
void add_interface(const Transport& transport, Settings& settings, const std::string& address);

}  // namespace duet::transport
