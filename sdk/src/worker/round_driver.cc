#include "worker/round_driver.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "duet/error.h"
#include "exchange/block_work.h"
#include "exchange/staging.h"
#include "support/log.h"
#include "topology/matchings.h"
#include "topology/metropolis.h"

namespace duet::worker {
namespace {

using membership::Phase;

/// In connections' sessions, beside the purposes of the tree's.
constexpr std::uint64_t kRoundPurpose = 16;
constexpr double kGatePatience = 0.0005;
/// How soon to look again at the gate, and at what a device does, block by block.
constexpr double kGateRetry = 0.0005;
constexpr double kDeviceRetry = 20e-6;
/// Moves half of z into d, all that gathered there, and leaves none.
constexpr float kEndOfRound = 0.5F;

std::uint64_t nanoseconds_from_now(double seconds) {
  return transport::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
}

}  // namespace

RoundDriver::RoundDriver(exchange::Replica& replica, const Options& options, const Topology& topology,
                         Postbox& postbox, transport::Context& context, const membership::Roster& roster,
                         Liveness& liveness, Shared& shared)
    : replica_(replica),
      options_(options),
      postbox_(postbox),
      context_(context),
      roster_(roster),
      liveness_(liveness),
      shared_(shared),
      staging_(
          exchange::make_staging(replica, options.wire, options.blocks_in_flight, context.capabilities())),
      order_(topology::matching_order(topology, options.rank)) {
  staging_->register_with(context);
  const std::size_t degree = topology.neighbours(options.rank).size();
  for (const Neighbour& neighbour : topology.neighbours(options.rank)) {
    Link& link = links_[neighbour.worker];
    link.weight = topology::metropolis_weight(degree, topology.neighbours(neighbour.worker).size());
    link.statistics.peer = neighbour.worker;
    link.statistics.target_rate = 1.0;  // once per step
  }
}

RoundDriver::~RoundDriver() = default;

void RoundDriver::start(double now, double timeout, std::promise<void> promise) {
  ++round_;
  active_ = true;
  timeout_ = timeout;
  promise_ = std::move(promise);
  next_ = 0;
  mixed_ = 0;
  begin_next(now);
}

void RoundDriver::begin_next(double now) {
  peer_ = -1;
  exchange_.reset();
  tickets_.reset();
  while (next_ < order_.size()) {
    peer_ = order_[next_++];
    passed_at_ = 0.0;
    patience_ = timeout_;
    if (liveness_.members().of(peer_).phase == Phase::kGone || will_not_come(now)) {
      link().connection.reset();
      peer_ = -1;
      continue;
    }
    open(now);
    return;
  }
}

std::uint64_t RoundDriver::session(int peer) const {
  // By the round in which it is opened, so that both ends of one that broke choose the same new name.
  const auto& lower = roster_.entries[static_cast<std::size_t>(std::min(peer, options_.rank))];
  const auto& upper = roster_.entries[static_cast<std::size_t>(std::max(peer, options_.rank))];
  const std::array<std::uint64_t, 7> words{control::run_hash(roster_.run_id),
                                           kRoundPurpose,
                                           round_,
                                           lower.incarnation.high,
                                           lower.incarnation.low,
                                           upper.incarnation.high,
                                           upper.incarnation.low};
  return XXH3_64bits(words.data(), sizeof words) | 1;  // never 0
}

void RoundDriver::open(double now) {
  Link& mine = link();
  reused_ = mine.connection != nullptr && mine.connection->state() != transport::Connection::State::kFailed;
  if (reused_) return begin_exchange(now);
  mine.connection.reset();
  const std::string name = fmt::format("rank {}", peer_);
  const std::uint64_t named = session(peer_);
  const bool accepts = options_.rank < peer_;
  if (!accepts) {
    if (context_.needs_tickets()) {
      tickets_.await(now, peer_, named, now + patience_);
    } else {
      mine.connection = context_.connect(name, named, roster_.transport_address(peer_),
                                         nanoseconds_from_now(patience_), {});
      begin_exchange(now);
    }
    return;
  }
  std::string ticket;
  if (context_.needs_tickets()) {
    try {
      ticket = context_.make_ticket(named);
      tickets_.issue(peer_, named, ticket);
    } catch (const TransportError& error) {
      // The accept below is refused without it, and the exchange fails with that reason.
      support::warning("rank {}: no ticket for rank {}: {}", options_.rank, peer_, error.what());
    }
  }
  mine.connection = context_.accept(name, named, nanoseconds_from_now(patience_), ticket);
  begin_exchange(now);
}

void RoundDriver::on_ticket_request(int from, const control::TicketRequest& request) {
  tickets_.on_request(from, request);
}

void RoundDriver::on_ticket(int from, const control::Ticket& ticket) {
  const auto awaited = tickets_.on_ticket(from, ticket);
  if (!awaited) return;
  link().connection =
      context_.connect(fmt::format("rank {}", peer_), session(peer_), roster_.transport_address(peer_),
                       nanoseconds_from_now(patience_), *awaited);
}

void RoundDriver::begin_exchange(double now) {
  exchange::MeetingPlan plan;
  plan.meeting = round_;
  plan.token = session(peer_);
  plan.coefficients.c = 0.0;
  plan.coefficients.alpha = 0.0;
  plan.coefficients.alpha_tilde_minus_alpha = 2.0 * link().weight;
  plan.wire = options_.wire;
  plan.timeout = patience_;
  exchange_ = std::make_unique<exchange::Meeting>(replica_, *link().connection, staging_, plan, now);
}

// A peer that has completed this round has sent its part, which may still be on its way; or it has left this
// worker out.
bool RoundDriver::will_not_come(double now) {
  const auto& peer = liveness_.members().of(peer_);
  if (liveness_.members().declared_gone()) return true;  // nobody answers any more
  if (peer.passes < round_) return peer.phase >= Phase::kFinished;
  if (passed_at_ == 0.0) passed_at_ = now;
  return now >= passed_at_ + options_.meeting_timeout;
}

void RoundDriver::advance(double now) {
  if (!active_) return;
  tickets_.advance(now);
  for (auto& outgoing : tickets_.take_outgoing())
    postbox_.send(outgoing.to, std::move(outgoing.body));
  while (peer_ >= 0) {
    if (exchange_ == nullptr && link().connection != nullptr) begin_exchange(now);  // its ticket came
    if (exchange_ != nullptr && exchange_->advance(now)) {
      end_exchange(now, {});
      continue;
    }
    if (liveness_.members().of(peer_).phase == Phase::kGone) {
      end_exchange(now, "the peer is gone");
    } else if (will_not_come(now)) {
      end_exchange(now, "the peer went on without it");
    } else if (exchange_ == nullptr && tickets_.given_up(now)) {
      end_exchange(now, "it sent no ticket for its connection");
    } else {
      return;
    }
  }
  if (mix()) end_round();
}

void RoundDriver::end_exchange(double now, const std::string& why_not) {
  Link& mine = link();
  bool complete = false;
  std::string error = why_not;
  if (exchange_ != nullptr) {
    if (!why_not.empty()) {
      exchange_->abort(why_not);
      exchange_->advance(now);  // c = 0: there is nothing to mix, so that ends it
    }
    const exchange::MeetingResult& result = exchange_->result();
    complete = result.complete;
    mine.statistics.bytes_sent += result.bytes_sent;
    mine.statistics.bytes_received += result.bytes_received;
    if (result.rejected) ++rejected_blocks_;
    if (complete) {
      mine.statistics.last_distance = std::sqrt(result.squared_distance);
    } else {
      error = result.error;
      // A connection of before, which the peer had closed meanwhile, is not this round's failure: the peer
      // may be waiting for a new one. Or it is not, having all that it needed: it is waited for no longer
      // than for a meeting, as others may be waiting for this worker (on a triangle it would be the peer
      // itself).
      if (reused_ && result.blocks_applied == 0 && !result.rejected &&
          result.reason != FailureReason::kTimeout && why_not.empty()) {
        patience_ = std::min(timeout_, options_.meeting_timeout);
        exchange_.reset();
        mine.connection.reset();
        open(now);
        return;
      }
    }
  }
  exchange_.reset();
  if (complete) {
    ++mine.statistics.meetings;
    ++exchanges_;
  } else {
    // The streams are out of step, or lead nowhere; closing also tells the other end.
    mine.connection.reset();
    ++mine.statistics.failures;
    support::warning("rank {}: step {} goes on without rank {}: {}", options_.rank, round_, peer_, error);
  }
  begin_next(now);
}

bool RoundDriver::mix() {
  for (; mixed_ < replica_.parameter_block_count(); ++mixed_) {
    const bool entered = replica_.in_communication_turn(kGatePatience, [&] {
      exchange::BlockWork::mix(replica_.block(mixed_), kEndOfRound);
      replica_.set_pending(mixed_);
    });
    if (!entered) return false;
  }
  return true;
}

void RoundDriver::end_round() {
  active_ = false;
  liveness_.set_passes(round_);
  publish();
  promise_.set_value();
}

void RoundDriver::publish() {
  const std::lock_guard lock(shared_.mutex);
  shared_.statistics.meetings = exchanges_;
  shared_.statistics.rejected_blocks = rejected_blocks_;
  shared_.statistics.edges.clear();
  for (const auto& [peer, link] : links_)
    shared_.statistics.edges.push_back(link.statistics);
}

double RoundDriver::next_deadline(double now) const {
  if (!active_) return std::numeric_limits<double>::infinity();
  if (peer_ < 0) return now + kGateRetry;
  if (exchange_ == nullptr) return std::min(tickets_.next_deadline(), now + 0.1);
  return now + (exchange_->device_busy() ? kDeviceRetry : exchange_->gate_busy() ? kGateRetry : 0.1);
}

void RoundDriver::fail(const std::string& why) {
  if (!active_) return;
  active_ = false;
  promise_.set_exception(std::make_exception_ptr(TransportError(why)));
}

}  // namespace duet::worker
