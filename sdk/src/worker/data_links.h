#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "membership/roster.h"
#include "transport/transport.h"

namespace duet::worker {

/// The data connections to neighbours, kept from meeting to meeting. Both sides name a connection by a
/// session: an offer says which one the offerer still holds, the accept decides: that one, or a new one
/// (named by the meeting's token). Over a transport that asks for tickets, an accept that names a new session
/// carries one. Communication thread only.
class DataLinks {
 public:
  DataLinks(transport::Context& context, const membership::Roster& roster);

  /// The session held with `peer` in working order; 0: none. A connection that failed since its last meeting
  /// (the peer closed it, or the transport gave it up for another) is none.
  std::uint64_t held(int peer) const;
  /// The acceptor's choice for an offer that named `offered` (0: none) under `token`.
  std::uint64_t choose(int peer, std::uint64_t offered, std::uint64_t token) const;
  /// What an accept that names `session` has to carry: a new ticket, or nothing. A ticket that the transport
  /// refuses is nothing too, and logged; the connection then fails, with its reason, on both sides.
  std::string ticket(int peer, std::uint64_t session) const;
  /// The connection of `session`, opened now if it is not the one held. connects: this side connects, the
  /// other accepts.
  transport::Connection& use(int peer, std::uint64_t session, bool connects, std::uint64_t deadline_ns,
                             const std::string& ticket);
  /// Closes what is held with `peer`: the streams are out of step, or the peer is gone.
  void drop(int peer);

 private:
  struct Link {
    std::uint64_t session = 0;
    std::unique_ptr<transport::Connection> connection;
  };
  transport::Context& context_;
  const membership::Roster& roster_;
  std::unordered_map<int, Link> links_;
};

}  // namespace duet::worker
