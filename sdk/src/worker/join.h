#pragma once

#include <vector>

#include "duet/buffer.h"
#include "duet/options.h"
#include "duet/topology.h"
#include "worker/communication.h"

namespace duet::worker {

/// Loads the transport, opens the sockets, finds the others. Blocks, with deadlines. Throws
/// ConfigurationError, TransportError, MembershipError or TimeoutError; nothing is left behind then.
Communication::Joined join(const Options& options, const Topology& topology,
                           const std::vector<Buffer>& buffers);

}  // namespace duet::worker
