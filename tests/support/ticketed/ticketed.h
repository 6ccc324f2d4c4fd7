#pragma once

#include "duet/plugin/transport.h"

namespace duet::testing {

/// The in-process transport, made to insist on tickets: make_ticket() gives one for each session, at most
/// once, and connect() and accept() refuse a request that does not hold it. What NCCL's transport asks of the
/// host, without NCCL. Session kNoTicket gets none, kEndlessTicket one that is longer than it may be.
const duet_transport* ticketed_transport();

inline constexpr unsigned long long kNoTicket = 404;
inline constexpr unsigned long long kEndlessTicket = 405;

}  // namespace duet::testing
