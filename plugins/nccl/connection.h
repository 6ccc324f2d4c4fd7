#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "communicator.h"
#include "line.h"
#include "link.h"
#include "peer_address.h"
#include "self_pair.h"
#include "ticket.h"

struct duet_connection;

namespace duet::nccl {

class Context;

/// A link with what it drives: its line and its communicator. The context's thread alone.
struct Connection {
  Connection(Context& owner, bool accepts, const Ticket& with, const Link& machine)
      : context(owner), accepting(accepts), ticket(with), link(machine) {}

  Context& context;
  const bool accepting;
  const Ticket ticket;
  Link link;
  std::optional<Line> line;
  bool line_in_use = false;  ///< frames are being read from it: it is hung up after that
  bool line_over = false;
  int watched = -1;      ///< what the descriptor is watched for: 1 also for writing; −1: nothing yet
  bool greeted = false;  ///< connecting side: heard the welcome
  PeerAddress peer;      ///< connecting side: as published
  std::shared_ptr<Communicator> communicator;
  std::shared_ptr<SelfPair> self_pair;  ///< both ends are in this process, on this device
  /// Operations whose memory becomes valid in the order of a stream: id, event.
  std::vector<std::pair<std::uint64_t, CUevent>> awaited;
  std::uint64_t last_used = 0;
  bool told_ready = false;
  bool told_failed = false;
};

}  // namespace duet::nccl

struct duet_connection final : duet::nccl::Connection {
  using Connection::Connection;
};
