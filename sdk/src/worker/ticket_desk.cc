#include "worker/ticket_desk.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace duet::worker {
namespace {

/// A message between neighbours takes a millisecond; a parent that is not there yet speaks up by itself.
constexpr double kAskAgain = 0.25;

}  // namespace

void TicketDesk::reset() {
  issued_.clear();
  awaited_.reset();
  outgoing_.clear();
}

void TicketDesk::issue(int child, std::uint64_t session, std::string ticket) {
  control::Ticket& issued = issued_[child];
  issued = {session, std::move(ticket)};
  outgoing_.push_back({child, issued});
}

void TicketDesk::await(double now, int parent, std::uint64_t session, double deadline) {
  awaited_ = Awaited{parent, session, deadline, now};
  advance(now);
}

void TicketDesk::on_request(int from, const control::TicketRequest& request) {
  const auto issued = issued_.find(from);
  // Not yet, or no longer: whoever asks asks again, or has moved on.
  if (issued == issued_.end() || issued->second.session != request.session) return;
  outgoing_.push_back({from, issued->second});
}

std::optional<std::string> TicketDesk::on_ticket(int from, const control::Ticket& ticket) {
  if (!awaited_ || awaited_->parent != from || awaited_->session != ticket.session) return std::nullopt;
  awaited_.reset();
  return ticket.ticket;
}

void TicketDesk::advance(double now) {
  if (!awaited_ || now < awaited_->ask_at || given_up(now)) return;
  awaited_->ask_at = now + kAskAgain;
  outgoing_.push_back({awaited_->parent, control::TicketRequest{awaited_->session}});
}

double TicketDesk::next_deadline() const {
  if (!awaited_) return std::numeric_limits<double>::infinity();
  return std::min(awaited_->ask_at, awaited_->deadline);
}

std::vector<TicketDesk::Outgoing> TicketDesk::take_outgoing() {
  return std::exchange(outgoing_, {});
}

}  // namespace duet::worker
