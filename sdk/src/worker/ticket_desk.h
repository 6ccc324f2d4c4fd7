#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/messages.h"

namespace duet::worker {

/// Carries the tickets of the tree's connections from parent to child, over messages that may be lost: a
/// parent tells each child its ticket when it has made it, and again whenever it is asked; a child that has
/// none asks until it has. A ticket belongs to a session; what is said about any other is ignored. Pure.
class TicketDesk {
 public:
  struct Outgoing {
    int to = 0;
    control::Body body;
  };

  /// Nothing that was issued or awaited holds any more.
  void reset();
  /// This worker is the parent of `child`.
  void issue(int child, std::uint64_t session, std::string ticket);
  /// This worker is a child of `parent`; it gives up at `deadline`.
  void await(double now, int parent, std::uint64_t session, double deadline);

  void on_request(int from, const control::TicketRequest& request);
  /// The ticket, if it is the one that is awaited; then none is any more.
  std::optional<std::string> on_ticket(int from, const control::Ticket& ticket);

  /// Asks again when it is time.
  void advance(double now);
  bool awaiting() const { return awaited_.has_value(); }
  bool given_up(double now) const { return awaited_ && now >= awaited_->deadline; }
  int parent() const { return awaited_ ? awaited_->parent : -1; }
  double next_deadline() const;
  std::vector<Outgoing> take_outgoing();

 private:
  struct Awaited {
    int parent = 0;
    std::uint64_t session = 0;
    double deadline = 0.0;
    double ask_at = 0.0;
  };
  std::map<int, control::Ticket> issued_;  // by child
  std::optional<Awaited> awaited_;
  std::vector<Outgoing> outgoing_;
};

}  // namespace duet::worker
