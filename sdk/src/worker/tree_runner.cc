#include "worker/tree_runner.h"

#include <spdlog/fmt/fmt.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <utility>

#include "control/messages.h"
#include "duet/error.h"
#include "support/log.h"

namespace duet::worker {
namespace {

using membership::Phase;

constexpr double kNever = std::numeric_limits<double>::infinity();
/// Until the next attempt where somebody holds the result already. Not at once: who died
/// just now refuses every connection, until the heartbeats say so.
constexpr double kShortRetry = 0.2;
/// Only the averages of steps follow each other over the same connections.
constexpr std::uint64_t kOnlyPass = 1;
/// How soon to look again at what a device does, block by block.
constexpr double kDeviceRetry = 20e-6;

}  // namespace

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

// ---- who takes part
// --------------------------------------------------------------------------------------------------------

TreeRunner::Part TreeRunner::part_of(int rank) const {
  const auto& members = liveness_.members();
  // Given up by the others: nobody would answer.
  if (request_.alone || !members.live(options_.rank) || members.declared_gone())
    return rank == options_.rank ? Part::kTakesPart : Part::kNoMore;
  const auto& member = members.of(rank);
  switch (request_.purpose) {
    case TreePurpose::kStart:
      // Who is quick may have had the start, trained and left while others are still at it.
      return member.phase == Phase::kGone ? Part::kNoMore : Part::kTakesPart;
    case TreePurpose::kStep:
      if (member.phase < Phase::kFinished) return Part::kTakesPart;
      // Who has finished makes no more steps. But it may have done so with this very average complete: then
      // all of its part in it is on the way, and to drop it would mean another result than the one that it
      // took along.
      if (member.phase < Phase::kGone && member.passes >= number_ && linked_ &&
          key_.attempt == liveness_.highest_attempt() &&
          std::binary_search(participants_.begin(), participants_.end(), rank)) {
        return Part::kTakesPart;
      }
      return Part::kNoMore;
    case TreePurpose::kFinal:
      // Who still trains when finish() runs out of patience is not waited for; who has concluded would not
      // answer.
      if (!members.live(rank) || member.phase >= Phase::kConcluded) return Part::kNoMore;
      return member.phase < Phase::kFinished ? Part::kNotYet : Part::kTakesPart;
  }
  return Part::kNoMore;
}

std::vector<int> TreeRunner::who() const {
  std::vector<int> ranks;
  for (const auto& entry : roster_.entries) {
    if (part_of(entry.rank) == Part::kTakesPart) ranks.push_back(entry.rank);
  }
  return ranks;
}

TreeRunner::Key TreeRunner::key() const {
  // Everyone's part and not only the participants: when one joins and dies, those who are left are whom they
  // were before, but their connections must not be.
  std::vector<std::uint64_t> words;
  words.reserve(3 * roster_.entries.size());
  for (const auto& entry : roster_.entries) {
    words.insert(words.end(), {static_cast<std::uint64_t>(part_of(entry.rank)), entry.incarnation.high,
                               entry.incarnation.low});
  }
  return {static_cast<std::uint64_t>(request_.purpose),
          XXH3_64bits(words.data(), words.size() * sizeof(std::uint64_t)), liveness_.highest_attempt()};
}

bool TreeRunner::outdated() const {
  return key() != key_;
}

// ---- connections
// --------------------------------------------------------------------------------------------------------

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
  levelled_ = false;
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
  if (state_ == State::kRunning) begin_over_links(now);
}

void TreeRunner::close_links() {
  level_.reset();
  pass_.reset();
  tickets_.reset();
  parent_.reset();
  children_.clear();
  linked_ = false;
}

exchange::TreeLinks TreeRunner::links() const {
  exchange::TreeLinks links;
  links.parent = parent_.get();
  for (const auto& child : children_)
    links.children.push_back(child.get());
  return links;
}

// ---- passes
// --------------------------------------------------------------------------------------------------------

void TreeRunner::start(const Request& request, double now) {
  request_ = request;
  serves_ = false;
  error_.clear();
  state_ = State::kRunning;
  begin(now);
}

void TreeRunner::serve_last_step(double timeout, double now) {
  request_ = {};
  request_.purpose = TreePurpose::kStep;
  request_.operation = exchange::TreeOperation::kAverage;
  request_.timeout = timeout;
  request_.deadline = kNever;
  serves_ = true;
  error_.clear();
  state_ = State::kRunning;
  begin(now);
}

void TreeRunner::cancel() {
  close_links();
  state_ = State::kIdle;
}

void TreeRunner::begin(double now) {
  retry_at_ = kNever;
  level_.reset();
  pass_.reset();
  passes_on_ = false;
  const bool step = request_.purpose == TreePurpose::kStep;
  number_ = step ? steps_completed_ + (serves_ ? 0 : 1) : kOnlyPass;
  if (!linked_ || outdated()) {
    close_links();
    // Connections are made once under one key: what is left of broken ones must not meet the new ones.
    if (!outdated()) liveness_.set_attempt(liveness_.highest_attempt() + 1);
    participants_ = who();
    key_ = key();
    // Everyone is to see which attempt this is, also a member that saw an earlier one end well.
    liveness_.set_attempt(key_.attempt);
    if (step) report_lost_results();
    open_links(now);
  }
  if (!tickets_.awaiting()) begin_over_links(now);
}

void TreeRunner::begin_over_links(double now) {
  if (request_.purpose == TreePurpose::kStep && !levelled_) {
    level_ = std::make_unique<exchange::TreeLevel>(links(), steps_completed_ + 1, request_.timeout, now);
  } else if (!serves_) {
    start_pass(number_, request_.has_result, now);
  }
}

void TreeRunner::report_lost_results() const {
  for (const auto& entry : roster_.entries) {
    const auto& member = liveness_.members().of(entry.rank);
    if (member.phase >= Phase::kFinished && member.phase < Phase::kGone && member.passes > steps_completed_) {
      support::warning(
          "rank {}: rank {} has left with the average of step {}: the others make it once more, "
          "without it",
          options_.rank, entry.rank, steps_completed_ + 1);
    }
  }
}

void TreeRunner::start_pass(std::uint64_t number, bool has_result, double now) {
  number_ = number;
  exchange::TreePlan plan;
  plan.operation = request_.operation;
  plan.number = number;
  plan.has_result = has_result;
  plan.rank = options_.rank;
  plan.world_size = options_.world_size;
  plan.timeout = request_.timeout;
  pass_ = std::make_unique<exchange::TreePass>(replica_, links(), plan, now);
}

TreeRunner::State TreeRunner::advance(double now) {
  if (state_ != State::kRunning) return state_;
  // A pass that can be completed is: also when somebody is missed meanwhile, its result is the one that
  // others hold.
  turn(now);
  if (state_ != State::kRunning) return state_;
  // On devices x is replaced over several turns, and then is what it was for the others: all of it.
  if (committing()) return state_;
  if (outdated()) {
    if (!request_.retry) {
      fail(fmt::format("the members changed under way (lost: {})",
                       fmt::join(liveness_.members().gone_ranks(), ", ")));
      return state_;
    }
    begin(now);
    support::info("rank {}: averaging begins anew with {} members", options_.rank, participants_.size());
    turn(now);
  } else if (nothing_under_way() && now >= retry_at_) {
    begin(now);
    turn(now);
  }
  // A pass that moves on is left alone, however long it takes: it has a deadline for standing still.
  if (state_ == State::kRunning && nothing_under_way() && now >= request_.deadline) {
    fail(error_.empty() ? "not done by its deadline" : error_);
  }
  return state_;
}

void TreeRunner::turn(double now) {
  tickets_.advance(now);
  send_tickets();
  if (tickets_.given_up(now)) {
    pass_failed(now, fmt::format("rank {} sent no ticket for its connection within {:g} s", tickets_.parent(),
                                 request_.timeout));
    return;
  }
  if (level_ != nullptr) {
    if (!level_->advance(now)) return;
    if (!level_->complete()) return pass_failed(now, std::string(level_->error()));
    on_level(now);
  }
  while (pass_ != nullptr && pass_->advance(now)) {
    if (!pass_->complete()) return pass_failed(now, std::string(pass_->error()));
    on_complete(now);
  }
}

void TreeRunner::on_level(double now) {
  const std::uint64_t smallest = level_->smallest();
  const std::uint64_t largest = level_->largest();
  level_.reset();
  levelled_ = true;
  // Nobody completes an average before everybody has completed the one before it.
  if (largest - smallest > 1) {
    return fail(
        fmt::format("the members are {} steps apart (at {} to {}), which they can never be by "
                    "themselves: a worker was restarted or its steps were repeated",
                    largest - smallest, smallest, largest));
  }
  const std::uint64_t next = steps_completed_ + 1;
  if (smallest < next) {
    support::info("rank {}: handing on the average of step {}", options_.rank, smallest);
    passes_on_ = true;
    start_pass(smallest, true, now);
  } else if (!serves_) {
    start_pass(next, false, now);
  }
}

void TreeRunner::on_complete(double now) {
  counted_ = pass_->counted();
  squared_distance_ = pass_->squared_distance();
  pass_.reset();
  if (std::exchange(passes_on_, false)) {
    if (!serves_) start_pass(steps_completed_ + 1, false, now);
    return;
  }
  // Before anyone hears of it, so that whoever leaves now says so.
  if (request_.purpose == TreePurpose::kStep) liveness_.set_passes(++steps_completed_);
  state_ = State::kComplete;
}

void TreeRunner::fail(const std::string& why) {
  close_links();
  error_ = why;
  state_ = State::kFailed;
}

void TreeRunner::pass_failed(double now, const std::string& why) {
  passes_on_ = false;
  // The streams are out of step: closing them also tells the other ends.
  close_links();
  error_ = why;
  if (!request_.retry) {
    // advance() has a better reason when it was a death.
    if (!outdated()) state_ = State::kFailed;
    return;
  }
  support::warning("rank {}: a pass over the members' tree broke off: {}", options_.rank, why);
  // Most likely somebody died, which the heartbeats will say soon; if they do not, try again with all.
  retry_at_ = now + options_.gone_after + 2.0 * options_.heartbeat_interval;
  for (const int rank : participants_) {
    const Phase phase = liveness_.members().of(rank).phase;
    // Who already has the result waits only for us.
    if (rank != options_.rank && phase == Phase::kAveraged) retry_at_ = now + kShortRetry;
    // Who finished with the average of this step complete will make no other attempt, and what it sent may be
    // lost: nobody is to wait for that any more. Once: whoever sees the higher attempt joins it.
    if (request_.purpose == TreePurpose::kStep && phase >= Phase::kFinished && phase < Phase::kGone &&
        liveness_.highest_attempt() == key_.attempt) {
      liveness_.set_attempt(key_.attempt + 1);
    }
  }
}

double TreeRunner::next_deadline(double now) const {
  if (state_ != State::kRunning) return kNever;
  if (tickets_.awaiting()) return std::min(request_.deadline, tickets_.next_deadline());
  if (nothing_under_way()) return std::min(request_.deadline, retry_at_);
  const bool on_device = pass_ != nullptr && pass_->device_busy();
  return std::min(request_.deadline, now + (on_device ? kDeviceRetry : 0.1));
}

}  // namespace duet::worker
