#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "ticket.h"

namespace duet::nccl {

/// The tickets that a context made, and the unique ids behind them. Each id keeps a thread and a socket of
/// NCCL until a communicator uses it up, so they must not pile up: an id whose session came to nothing serves
/// another session, under another secret (nobody could have used it: both sides open the communicator only
/// after the secret was believed), and of the tickets that nobody came with, only the newest are kept. Pure.
class TicketBook {
 public:
  static constexpr std::size_t kMostUnused = 64;

  /// An id that is left over from another session.
  std::optional<UniqueId> take_spare();
  void add_spare(const UniqueId& id) { spares_.push_back(id); }
  /// A new ticket; one of the same session before is void.
  const Ticket& issue(std::uint64_t session, const Id128& secret, const UniqueId& id);
  /// The ticket of a session; null: none, or no longer.
  const Ticket* find(std::uint64_t session) const;
  bool opens(std::uint64_t session, const Id128& secret) const;
  /// An accept() has it now: it is no longer among those that may be forgotten.
  void claim(std::uint64_t session);
  /// The session is over. used: a communicator has used the id up.
  void settle(std::uint64_t session, bool used);
  /// Everything is over: all ids that no communicator has used.
  std::vector<UniqueId> close();
  std::size_t size() const { return tickets_.size(); }
  std::size_t spares() const { return spares_.size(); }

 private:
  std::map<std::uint64_t, Ticket> tickets_;
  std::deque<std::uint64_t> unclaimed_;  ///< oldest first
  std::vector<UniqueId> spares_;
};

}  // namespace duet::nccl
