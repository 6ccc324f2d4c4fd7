#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/messages.h"
#include "duet/options.h"
#include "duet/status.h"
#include "duet/topology.h"
#include "exchange/meeting.h"
#include "exchange/replica.h"
#include "membership/roster.h"
#include "transport/transport.h"
#include "worker/liveness.h"
#include "worker/postbox.h"
#include "worker/shared.h"
#include "worker/ticket_desk.h"

namespace duet::worker {

/// Rounds of synchronous gossip (dpsgd): in each, this worker exchanges with every neighbour once, one after
/// the other in the order of topology/matchings.h, by the very exchange of meetings. The differences gather
/// in z, which no snapshot reads, so that all of a round's are of the positions before it: α = 0 and α̃ = 2w
/// put −2w·m there, and at the end one mixing with c = ½ brings half of it into d, and z back to 0
/// (docs/decisions/0020). x + d + ½z is kept throughout, but for the blocks in flight of an
/// exchange that breaks.
///
/// A round and its exchanges have a number, the same on all workers. Whoever is gone, has finished without
/// this round, or has long been past it, is left out of it, and a neighbour whose exchange broke is taken up
/// again in the next round, over a new connection. The graph is not made anew: all would have to agree at
/// which round. Communication thread only.
class RoundDriver {
 public:
  RoundDriver(exchange::Replica& replica, const Options& options, const Topology& topology, Postbox& postbox,
              transport::Context& context, const membership::Roster& roster, Liveness& liveness,
              Shared& shared);
  ~RoundDriver();

  /// One round; the promise is kept when it is over. timeout: for a neighbour that has not come yet.
  void start(double now, double timeout, std::promise<void> promise);
  void on_ticket_request(int from, const control::TicketRequest& request);
  void on_ticket(int from, const control::Ticket& ticket);
  void advance(double now);
  double next_deadline(double now) const;
  /// The thread ends early: whoever waits is told why.
  void fail(const std::string& why);

  std::uint64_t exchanges() const { return exchanges_; }

 private:
  struct Link {
    std::unique_ptr<transport::Connection> connection;
    double weight = 0.0;
    EdgeStatistics statistics;
  };

  /// The next neighbour of the round, from next_ on, whose exchange can begin.
  void begin_next(double now);
  void open(double now);
  void begin_exchange(double now);
  void end_exchange(double now, const std::string& why_not);
  bool will_not_come(double now);
  bool mix();
  void end_round();
  void publish();
  std::uint64_t session(int peer) const;
  Link& link() { return links_.at(peer_); }

  exchange::Replica& replica_;
  const Options& options_;
  Postbox& postbox_;
  transport::Context& context_;
  const membership::Roster& roster_;
  Liveness& liveness_;
  Shared& shared_;
  std::shared_ptr<exchange::Staging> staging_;
  std::vector<int> order_;
  std::map<int, Link> links_;
  TicketDesk tickets_;

  std::uint64_t round_ = 0;
  bool active_ = false;
  double timeout_ = 0.0;
  std::promise<void> promise_;
  std::size_t next_ = 0;    ///< of order_
  int peer_ = -1;           ///< whose turn it is; −1: all had theirs
  bool reused_ = false;     ///< its connection is one of an earlier round
  double patience_ = 0.0;   ///< seconds without progress until its exchange is given up
  double passed_at_ = 0.0;  ///< when the peer was first seen to be past this round; 0: it was not
  std::unique_ptr<exchange::Meeting> exchange_;
  std::size_t mixed_ = 0;  ///< blocks, at the end of a round
  std::uint64_t exchanges_ = 0;
  std::uint64_t rejected_blocks_ = 0;
};

}  // namespace duet::worker
