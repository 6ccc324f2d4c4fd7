#pragma once

#include "duet/plugin/transport.h"

namespace duet::transport {

/// The transport between contexts of one process (threads of one program, tests, simulations): the same C
/// table as a plugin's, always there. One copy, from the sender's buffer to the receiver's, made by whichever
/// side posts second.
const duet_transport* inproc_transport();

}  // namespace duet::transport
