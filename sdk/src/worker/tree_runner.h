#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "duet/options.h"
#include "duet/topology.h"
#include "exchange/replica.h"
#include "exchange/tree_level.h"
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
///
/// The averages of steps are numbered, and on new connections the members first find out who is at which (a
/// death or a broken connection can leave some with the result of average s and others without): whoever has
/// it gives it to the others, to the bit, before anyone goes on (docs/decisions/0008).
///
/// Over a transport that asks for tickets, a child begins when its parent's ticket has come. Communication
/// thread only.
class TreeRunner {
 public:
  TreeRunner(exchange::Replica& replica, transport::Context& context, const membership::Roster& roster,
             const Topology& topology, const Options& options, Liveness& liveness, Postbox& postbox);
  ~TreeRunner();

  struct Request {
    TreePurpose purpose = TreePurpose::kStart;
    exchange::TreeOperation operation = exchange::TreeOperation::kBroadcast;
    bool has_result = false;  ///< this worker already holds the result (TreePass); not for steps
    bool alone = false;       ///< with nobody else: this worker's own position stands
    bool retry = true;        ///< false: the first failure, or a change of members, ends it
    double timeout = 30.0;    ///< one pass without progress
    double deadline = 0.0;    ///< for all attempts together, absolute
  };
  void start(const Request& request, double now);
  void on_ticket_request(int from, const control::TicketRequest& request);
  void on_ticket(double now, int from, const control::Ticket& ticket);
  /// Makes no average of its own any more, but until cancel() or the next start() gives the result of its
  /// last step's to whoever has missed it. Stays kRunning.
  void serve_last_step(double timeout, double now);
  /// Gives up the pass under way.
  void cancel();

  enum class State { kIdle, kRunning, kComplete, kFailed };
  /// Turns the machine; kComplete and kFailed stay until the next start().
  State advance(double now);
  State state() const { return state_; }
  TreePurpose purpose() const { return request_.purpose; }  ///< of the last start()
  /// x is being replaced, block by block.
  bool committing() const { return pass_ != nullptr && pass_->committing(); }
  double next_deadline(double now) const;

  const std::string& error() const { return error_; }
  /// Averages of a step that this worker has completed.
  std::uint64_t steps_completed() const { return steps_completed_; }
  /// Whom the final average counts, ascending.
  const std::vector<int>& counted() const { return counted_; }
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
  /// What members are to a pass. With final averages every one goes through these in this order, so that the
  /// same hash of all of them never comes back.
  enum class Part : std::uint8_t { kNotYet = 0, kTakesPart = 1, kNoMore = 2 };
  Part part_of(int rank) const;
  std::vector<int> who() const;
  Key key() const;

  void begin(double now);
  /// The links are made: finds out how far everyone is, or begins the pass.
  void begin_over_links(double now);
  void open_links(double now);
  void connect_to_parent(const std::string& ticket);
  void send_tickets();
  void close_links();
  exchange::TreeLinks links() const;
  /// Goes on with whatever is under way, as far as it goes now.
  void turn(double now);
  void on_level(double now);
  void start_pass(std::uint64_t number, bool has_result, double now);
  void on_complete(double now);
  void pass_failed(double now, const std::string& why);
  void fail(const std::string& why);
  bool nothing_under_way() const { return pass_ == nullptr && level_ == nullptr && !tickets_.awaiting(); }
  void report_lost_results() const;

  exchange::Replica& replica_;
  transport::Context& context_;
  const membership::Roster& roster_;
  const Topology& topology_;
  const Options& options_;
  Liveness& liveness_;
  Postbox& postbox_;

  State state_ = State::kIdle;
  Request request_;
  bool serves_ = false;
  Key key_;
  std::vector<int> participants_;
  bool linked_ = false;
  bool levelled_ = false;  ///< over the present links everyone makes the same averages from here on
  int parent_rank_ = -1;
  std::uint64_t parent_session_ = 0;
  TicketDesk tickets_;  ///< of the present links
  std::unique_ptr<transport::Connection> parent_;
  std::vector<std::unique_ptr<transport::Connection>> children_;
  std::unique_ptr<exchange::TreeLevel> level_;
  std::unique_ptr<exchange::TreePass> pass_;
  std::uint64_t number_ = 0;  ///< of the pass under way
  bool passes_on_ = false;    ///< in that pass this worker only gives what it has
  std::uint64_t steps_completed_ = 0;
  /// No pass under way: begin a new attempt then, unless the members change before.
  double retry_at_ = std::numeric_limits<double>::infinity();
  std::string error_;
  std::vector<int> counted_;
  double squared_distance_ = 0.0;
};

}  // namespace duet::worker
