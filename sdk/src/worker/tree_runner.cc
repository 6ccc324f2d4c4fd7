#include "worker/tree_runner.h"

#include <spdlog/fmt/fmt.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <limits>

#include "control/messages.h"
#include "support/log.h"

namespace duet::worker {
namespace {

/// How soon to look again at what a device does, block by block.
constexpr double kDeviceRetry = 20e-6;

}  // namespace

TreeRunner::TreeRunner(exchange::Replica& replica, transport::Context& context,
                       const membership::Roster& roster, const Topology& topology, const Options& options,
                       Liveness& liveness)
    : replica_(replica),
      context_(context),
      roster_(roster),
      topology_(topology),
      options_(options),
      liveness_(liveness) {}

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
    open_links();
  }
  exchange::TreeLinks links;
  links.parent = parent_.get();
  for (const auto& child : children_)
    links.children.push_back(child.get());
  pass_ = std::make_unique<exchange::TreePass>(replica_, links, request_.operation, ++passes_,
                                               request_.has_result, request_.timeout, now);
}

void TreeRunner::open_links() {
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
  if (tree.parent >= 0) {
    const auto& parent = roster_.entries[static_cast<std::size_t>(tree.parent)];
    parent_ = context_.connect(fmt::format("rank {}", tree.parent), session(parent, self),
                               parent.transport_address, deadline);
  }
  for (const int rank : tree.children) {
    const auto& child = roster_.entries[static_cast<std::size_t>(rank)];
    children_.push_back(context_.accept(fmt::format("rank {}", rank), session(self, child), deadline));
  }
  linked_ = true;
  passes_ = 0;
}

void TreeRunner::close_links() {
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
  if (state_ == State::kRunning && pass_ == nullptr && now >= retry_at_) {
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
  if (pass_ == nullptr) return std::min(request_.deadline, retry_at_);
  return std::min(request_.deadline, now + (pass_->device_busy() ? kDeviceRetry : 0.1));
}

}  // namespace duet::worker
