#include "worker/data_links.h"

#include "support/log.h"

namespace duet::worker {

DataLinks::DataLinks(transport::Context& context, const membership::Roster& roster)
    : context_(context), roster_(roster) {}

std::uint64_t DataLinks::held(int peer) const {
  const auto found = links_.find(peer);
  // The peer may have closed its end since: better a new connection than a meeting that fails at once.
  if (found == links_.end() || found->second.connection == nullptr) return 0;
  return found->second.connection->state() == transport::Connection::State::kFailed ? 0
                                                                                    : found->second.session;
}

std::uint64_t DataLinks::choose(int peer, std::uint64_t offered, std::uint64_t token) const {
  return offered != 0 && offered == held(peer) ? offered : token;
}

std::string DataLinks::ticket(int peer, std::uint64_t session) const {
  if (!context_.needs_tickets() || session == held(peer)) return {};
  try {
    return context_.make_ticket(session);
  } catch (const TransportError& error) {
    support::warning("no ticket for a connection with rank {}: {}", peer, error.what());
    return {};
  }
}

transport::Connection& DataLinks::use(int peer, std::uint64_t session, bool connects,
                                      std::uint64_t deadline_ns, const std::string& ticket) {
  Link& link = links_[peer];
  if (link.session == session && link.connection != nullptr) return *link.connection;
  link.connection.reset();
  link.session = 0;
  const auto name = fmt::format("rank {}", peer);
  link.connection =
      connects ? context_.connect(name, session, roster_.transport_address(peer), deadline_ns, ticket)
               : context_.accept(name, session, deadline_ns, ticket);
  link.session = session;
  return *link.connection;
}

void DataLinks::drop(int peer) {
  links_.erase(peer);
}

}  // namespace duet::worker
