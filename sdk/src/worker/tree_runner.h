#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "duet/options.h"
#include "duet/topology.h"
#include "exchange/replica.h"
#include "exchange/tree_pass.h"
#include "membership/roster.h"
#include "transport/transport.h"
#include "worker/liveness.h"
#include "worker/postbox.h"
#include "worker/ticket_desk.h"

namespace duet::worker {

/// What a tree pass is for. Part of its connections' sessions, so that passes of different kinds never mix.
enum class TreePurpose : std::uint8_t { kStart = 1, kStep = 2, kFinal = 3 };

/// Runs passes over the members' tree. Who takes part, and in which attempt, decides which tree and which
/// connections: when either changes, the pass under way is dropped and begun anew with those who are left.
/// Over a transport that asks for tickets, a child's pass begins when its parent's ticket has come.
/// Communication thread only.
class TreeRunner {
 public:
  TreeRunner(exchange::Replica& replica, transport::Context& context, const membership::Roster& roster,
             const Topology& topology, const Options& options, Liveness& liveness, Postbox& postbox);
  ~TreeRunner();

  struct Request {
    TreePurpose purpose = TreePurpose::kStart;
    exchange::TreeOperation operation = exchange::TreeOperation::kBroadcast;
    bool has_result = false;  ///< this worker already holds the result (TreePass)
    bool alone = false;       ///< with nobody else: this worker's own position stands
    bool retry = true;        ///< false: the first failure, or a change of members, ends it
    double timeout = 30.0;    ///< one pass without progress
    double deadline = 0.0;    ///< for all attempts together, absolute
  };
  void start(const Request& request, double now);
  void on_ticket_request(int from, const control::TicketRequest& request);
  void on_ticket(double now, int from, const control::Ticket& ticket);
  /// Gives up the pass under way.
  void cancel();

  enum class State { kIdle, kRunning, kComplete, kFailed };
  /// Turns the machine; kComplete and kFailed stay until the next start().
  State advance(double now);
  State state() const { return state_; }
  double next_deadline(double now) const;

  const std::string& error() const { return error_; }
  int members() const { return members_; }
  const std::vector<int>& participants() const { return participants_; }
  double squared_distance() const { return squared_distance_; }

  /// Whether those who take part, or the attempt, are no longer those of the last pass.
  bool outdated() const;

 private:
  struct Key {
    std::uint64_t purpose = 0;
    std::uint64_t participants = 0;
    std::uint64_t attempt = 0;
    bool operator==(const Key&) const = default;
  };
  std::vector<int> who() const;
  Key key_for(const std::vector<int>& participants) const;
  void begin(double now);
  void begin_pass(double now);
  void open_links(double now);
  void connect_to_parent(const std::string& ticket);
  void send_tickets();
  void close_links();
  void pass_failed(double now, const std::string& why);

  exchange::Replica& replica_;
  transport::Context& context_;
  const membership::Roster& roster_;
  const Topology& topology_;
  const Options& options_;
  Liveness& liveness_;
  Postbox& postbox_;

  State state_ = State::kIdle;
  Request request_;
  Key key_;
  std::vector<int> participants_;
  bool linked_ = false;
  int parent_rank_ = -1;
  std::uint64_t parent_session_ = 0;
  TicketDesk tickets_;  ///< of the present links
  std::unique_ptr<transport::Connection> parent_;
  std::vector<std::unique_ptr<transport::Connection>> children_;
  std::uint64_t passes_ = 0;  ///< over the present links: both ends count alike
  std::unique_ptr<exchange::TreePass> pass_;
  double retry_at_ = 0.0;  ///< no pass under way: raise the attempt then, unless the members change before
  std::string error_;
  int members_ = 0;
  double squared_distance_ = 0.0;
};

}  // namespace duet::worker
