#include "worker/tree_runner.h"

#include <spdlog/fmt/fmt.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <limits>

#include "control/messages.h"
#include "duet/error.h"
#include "support/log.h"

namespace duet::worker {

TreeRunner::TreeRunner(exchange::Replica& replica, transport::Context& context,
                       const membership::Roster& roster, const Topology& topology, const Options& options,
                       Liveness& liveness, Postbox& postbox)
    : replica_(replica),
      context_(context),
      roster_(roster),
      topology_(topology),
      options_(options),
      liveness_(liveness),
      postbox_(postbox) {}

TreeRunner::~TreeRunner() = default;

std::vector<int> TreeRunner::who() const {
  const auto& members = liveness_.members();
  // Given up by the others: nobody would answer.
  if (request_.alone || !members.live(options_.rank) || members.declared_gone()) return {options_.rank};
  std::vector<int> ranks;
  for (const auto& entry : roster_.entries) {
    const auto phase = members.of(entry.rank).phase;
    switch (request_.purpose) {
      case TreePurpose::kStart:
        // Who is quick may have had the start, trained and left while others are still at it.
        if (phase == membership::Phase::kGone) continue;
        break;
      case TreePurpose::kStep:
        // Who has finished makes no more steps.
        if (!members.live(entry.rank) || phase >= membership::Phase::kFinished) continue;
        break;
      case TreePurpose::kFinal:
        // Who still trains when finish() runs out of patience is not waited for; who has concluded would not
        // answer.
        if (!members.live(entry.rank) || phase < membership::Phase::kFinished ||
            phase >= membership::Phase::kConcluded) {
          continue;
        }
        break;
    }
    ranks.push_back(entry.rank);
  }
  return ranks;
}

TreeRunner::Key TreeRunner::key_for(const std::vector<int>& participants) const {
  std::vector<membership::Incarnation> incarnations;
  incarnations.reserve(participants.size());
  for (const int rank : participants) {
    incarnations.push_back(roster_.entries[static_cast<std::size_t>(rank)].incarnation);
  }
  return {static_cast<std::uint64_t>(request_.purpose),
          XXH3_64bits(incarnations.data(), incarnations.size() * sizeof(membership::Incarnation)),
          liveness_.highest_attempt()};
}

bool TreeRunner::outdated() const {
  return key_for(who()) != key_;
}

void TreeRunner::start(const Request& request, double now) {
  request_ = request;
  state_ = State::kRunning;
  begin(now);
}

void TreeRunner::cancel() {
  pass_.reset();
  close_links();
  state_ = State::kIdle;
}

void TreeRunner::begin(double now) {
  retry_at_ = 0.0;
  participants_ = who();
  const Key key = key_for(participants_);
  if (!linked_ || key != key_) {
    close_links();
    key_ = key;
    // Everyone is to see which attempt this is, also a member that saw an earlier one end well.
    liveness_.set_attempt(key.attempt);
    open_links(now);
  }
  if (!tickets_.awaiting()) begin_pass(now);
}

void TreeRunner::begin_pass(double now) {
  exchange::TreeLinks links;
  links.parent = parent_.get();
  for (const auto& child : children_)
    links.children.push_back(child.get());
  pass_ = std::make_unique<exchange::TreePass>(replica_, links, request_.operation, ++passes_,
                                               request_.has_result, request_.timeout, now);
}

void TreeRunner::open_links(double now) {
  const auto tree = membership::make_tree(topology_, participants_, options_.rank);
  const auto& self = roster_.entries[static_cast<std::size_t>(options_.rank)];
  const std::uint64_t run = control::run_hash(roster_.run_id);
  const auto session = [&](const membership::Entry& parent, const membership::Entry& child) {
    const std::array<std::uint64_t, 8> words{run,
                                             key_.purpose,
                                             key_.participants,
                                             key_.attempt,
                                             parent.incarnation.high,
                                             parent.incarnation.low,
                                             child.incarnation.high,
                                             child.incarnation.low};
    return XXH3_64bits(words.data(), sizeof words) | 1;  // never 0
  };
  const auto deadline = transport::now_ns() + static_cast<std::uint64_t>(request_.timeout * 1e9);
  const bool needs_tickets = context_.needs_tickets();
  parent_rank_ = tree.parent;
  if (tree.parent >= 0) {
    parent_session_ = session(roster_.entries[static_cast<std::size_t>(tree.parent)], self);
    if (needs_tickets) {
      tickets_.await(now, tree.parent, parent_session_, now + request_.timeout);
    } else {
      connect_to_parent({});
    }
  }
  for (const int rank : tree.children) {
    const std::uint64_t named = session(self, roster_.entries[static_cast<std::size_t>(rank)]);
    std::string ticket;
    if (needs_tickets) {
      try {
        ticket = context_.make_ticket(named);
        tickets_.issue(rank, named, ticket);
      } catch (const TransportError& error) {
        // The accept below is refused without it, and the pass fails with that reason.
        support::warning("rank {}: no ticket for rank {}: {}", options_.rank, rank, error.what());
      }
    }
    children_.push_back(context_.accept(fmt::format("rank {}", rank), named, deadline, ticket));
  }
  send_tickets();
  linked_ = true;
  passes_ = 0;
}

void TreeRunner::connect_to_parent(const std::string& ticket) {
  const auto deadline = transport::now_ns() + static_cast<std::uint64_t>(request_.timeout * 1e9);
  parent_ = context_.connect(fmt::format("rank {}", parent_rank_), parent_session_,
                             roster_.transport_address(parent_rank_), deadline, ticket);
}

void TreeRunner::send_tickets() {
  for (auto& outgoing : tickets_.take_outgoing())
    postbox_.send(outgoing.to, std::move(outgoing.body));
}

void TreeRunner::on_ticket_request(int from, const control::TicketRequest& request) {
  tickets_.on_request(from, request);
  send_tickets();
}

void TreeRunner::on_ticket(double now, int from, const control::Ticket& ticket) {
  const auto awaited = tickets_.on_ticket(from, ticket);
  if (!awaited) return;
  connect_to_parent(*awaited);
  if (state_ == State::kRunning) begin_pass(now);
}

void TreeRunner::close_links() {
  tickets_.reset();
  parent_.reset();
  children_.clear();
  linked_ = false;
}

TreeRunner::State TreeRunner::advance(double now) {
  if (state_ != State::kRunning) return state_;
  if (outdated()) {
    pass_.reset();
    if (!request_.retry) {
      close_links();
      error_ = fmt::format("the members changed under way (lost: {})",
                           fmt::join(liveness_.members().gone_ranks(), ", "));
      return state_ = State::kFailed;
    }
    support::info("rank {}: averaging begins anew with {} members", options_.rank, who().size());
    begin(now);
  }
  tickets_.advance(now);
  send_tickets();
  if (tickets_.given_up(now)) {
    pass_failed(now, fmt::format("rank {} sent no ticket for its connection within {:g} s", tickets_.parent(),
                                 request_.timeout));
  }
  if (pass_ != nullptr && pass_->advance(now)) {
    if (pass_->complete()) {
      members_ = pass_->members();
      squared_distance_ = pass_->squared_distance();
      pass_.reset();
      return state_ = State::kComplete;
    }
    const std::string why = pass_->error();
    pass_.reset();
    pass_failed(now, why);
  }
  const bool waits_to_retry = pass_ == nullptr && !tickets_.awaiting();
  if (state_ == State::kRunning && waits_to_retry && now >= retry_at_) {
    liveness_.set_attempt(liveness_.highest_attempt() + 1);
    begin(now);
  }
  // A pass that moves on is left alone, however long it takes: it has a deadline for standing still.
  if (state_ == State::kRunning && pass_ == nullptr && now >= request_.deadline) {
    close_links();
    if (error_.empty()) error_ = "not done by its deadline";
    state_ = State::kFailed;
  }
  return state_;
}

void TreeRunner::pass_failed(double now, const std::string& why) {
  error_ = why;
  // The streams are out of step: closing them also tells the other ends.
  close_links();
  if (!request_.retry) {
    state_ = State::kFailed;
    return;
  }
  support::warning("rank {}: a pass over the members' tree broke off: {}", options_.rank, why);
  // Most likely somebody died, which the heartbeats will say soon; if they do not, try again with all.
  retry_at_ = now + options_.gone_after + 2.0 * options_.heartbeat_interval;
  // Who already has the result waits only for us.
  for (const int rank : participants_) {
    if (rank != options_.rank && liveness_.members().of(rank).phase == membership::Phase::kAveraged)
      retry_at_ = now;
  }
}

double TreeRunner::next_deadline(double now) const {
  if (state_ != State::kRunning) return std::numeric_limits<double>::infinity();
  if (tickets_.awaiting()) return std::min(request_.deadline, tickets_.next_deadline());
  return std::min(request_.deadline, pass_ != nullptr ? now + 0.1 : retry_at_);
}

}  // namespace duet::worker
