#pragma once

#include <memory>

#include "transport/faults.h"
#include "transport/transport.h"

namespace duet::transport {

/// `inner` with faults: a table like any other, in front of the same plugin binary. It keeps the ABI's
/// promises: an operation completes exactly once, a buffer stays lent until then, deadlines hold (a message
/// that is held back beyond its receive's deadline is one that timed out). With Faults{} it changes nothing.
/// Thread-safe. At most 32 decorated transports can be alive in a process at a time (equal ones are shared):
/// TransportError.
std::shared_ptr<const Transport> inject_faults(std::shared_ptr<const Transport> inner, const Faults& faults);

}  // namespace duet::transport
