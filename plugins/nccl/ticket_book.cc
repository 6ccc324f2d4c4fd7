#include "ticket_book.h"

#include <algorithm>
#include <utility>

namespace duet::nccl {

std::optional<UniqueId> TicketBook::take_spare() {
  // With as many outstanding as there may be, the oldest gives way.
  if (spares_.empty() && unclaimed_.size() >= kMostUnused) settle(unclaimed_.front(), false);
  if (spares_.empty()) return std::nullopt;
  const UniqueId id = spares_.back();
  spares_.pop_back();
  return id;
}

const Ticket& TicketBook::issue(std::uint64_t session, const Id128& secret, const UniqueId& id) {
  settle(session, false);
  unclaimed_.push_back(session);
  return tickets_[session] = Ticket{session, secret, id};
}

const Ticket* TicketBook::find(std::uint64_t session) const {
  const auto found = tickets_.find(session);
  return found == tickets_.end() ? nullptr : &found->second;
}

bool TicketBook::opens(std::uint64_t session, const Id128& secret) const {
  const Ticket* const ticket = find(session);
  return ticket != nullptr && ticket->secret == secret;
}

void TicketBook::claim(std::uint64_t session) {
  std::erase(unclaimed_, session);
}

void TicketBook::settle(std::uint64_t session, bool used) {
  const auto found = tickets_.find(session);
  if (found == tickets_.end()) return;
  if (!used) spares_.push_back(found->second.id);
  tickets_.erase(found);
  std::erase(unclaimed_, session);
}

std::vector<UniqueId> TicketBook::close() {
  while (!tickets_.empty())
    settle(tickets_.begin()->first, false);
  return std::exchange(spares_, {});
}

}  // namespace duet::nccl
