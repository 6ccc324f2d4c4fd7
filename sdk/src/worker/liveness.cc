#include "worker/liveness.h"

#include <algorithm>
#include <limits>

#include "support/log.h"

namespace duet::worker {
namespace {

/// News travel at once, but a burst of news travels as one.
constexpr double kShortestBeat = 0.01;
/// Between joining and its first heartbeat a worker may still be busy with its buffers.
constexpr double kFirstBeatGrace = 10.0;

}  // namespace

Liveness::Liveness(const membership::Roster& roster, const Topology& topology, const Options& options,
                   Postbox& postbox, Shared& shared, double now)
    : topology_(topology),
      options_(options),
      postbox_(postbox),
      shared_(shared),
      self_(options.rank),
      members_(roster, options.rank, options.gone_after),
      metrics_(static_cast<int>(roster.entries.size()), options.rank),
      heard_once_(roster.entries.size(), false),
      joined_(now),
      next_beat_(now) {
  refresh(now);
}

void Liveness::set_phase(membership::Phase phase) {
  if (members_.mine().phase >= phase) return;
  members_.mine().phase = phase;
  next_beat_ = 0.0;
}

void Liveness::set_attempt(std::uint64_t attempt) {
  if (members_.mine().attempt >= attempt) return;
  members_.mine().attempt = attempt;
  next_beat_ = 0.0;
}

std::uint64_t Liveness::highest_attempt() const {
  std::uint64_t highest = 0;
  for (const int rank : live_)
    highest = std::max(highest, members_.of(rank).attempt);
  return highest;
}

void Liveness::on_heartbeat(double now, int from, const control::Heartbeat& heartbeat) {
  const std::uint64_t attempt_before = highest_attempt();
  const bool phases_changed = members_.merge(now, from, heartbeat.states);
  metrics_.merge(heartbeat.metrics);
  if (phases_changed || members_.declared_gone()) refresh(now);
  if (phases_changed || highest_attempt() != attempt_before) next_beat_ = 0.0;
  publish();
}

void Liveness::heard(double now, int from) {
  heard_once_[static_cast<std::size_t>(from)] = true;
  members_.heard(now, from);
}

void Liveness::advance(double now) {
  if (now < joined_ + kFirstBeatGrace) {
    for (const int rank : watched_) {
      if (!heard_once_[static_cast<std::size_t>(rank)]) members_.heard(now, rank);
    }
  }
  if (!members_.check(now, watched_).empty()) {
    refresh(now);
    next_beat_ = 0.0;
  }
  if (shared_.metrics_changed.load(std::memory_order_relaxed)) {
    std::string address;
    {
      const std::lock_guard lock(shared_.mutex);
      shared_.metrics_changed.store(false, std::memory_order_relaxed);
      address = shared_.metrics_address;
    }
    if (metrics_.set_mine(address)) next_beat_ = 0.0;
  }
  if (now >= next_beat_ && now >= last_beat_ + kShortestBeat) beat(now);
}

double Liveness::next_deadline() const {
  return std::max(next_beat_, last_beat_ + kShortestBeat);
}

void Liveness::say_goodbye(double now) {
  // To those who watch us: who has left has no neighbours any more.
  const std::vector<int> watchers = watched_;
  set_phase(membership::Phase::kLeft);
  beat(now);
  for (const int rank : watchers)
    postbox_.send(rank, heartbeat());
}

std::vector<int> Liveness::take_departed() {
  return std::exchange(departed_, {});
}

void Liveness::tell_gone(double now, int rank) {
  if (now < next_reply_) return;
  next_reply_ = now + options_.heartbeat_interval;
  postbox_.send(rank, heartbeat());
}

void Liveness::beat(double now) {
  // Also those who left quietly change the tree.
  refresh(now);
  auto& mine = members_.mine();
  ++mine.beats;
  mine.steps = shared_.steps.load(std::memory_order_relaxed);
  mine.samples = shared_.samples.load(std::memory_order_relaxed);
  for (const int rank : watched_)
    postbox_.send(rank, heartbeat());
  last_beat_ = now;
  next_beat_ = now + options_.heartbeat_interval;
  publish();
}

void Liveness::publish() {
  raise(shared_.run_samples, members_.total_samples());
  raise(shared_.run_steps, members_.total_steps());
}

void Liveness::refresh(double now) {
  auto gone = members_.gone_ranks();
  for (const int rank : gone) {
    if (std::find(known_gone_.begin(), known_gone_.end(), rank) != known_gone_.end()) continue;
    support::warning("rank {}: lost rank {} (epoch {}); going on with {} of {} workers", self_, rank,
                     members_.epoch(), members_.live_ranks().size(), topology_.workers());
  }
  if (gone != known_gone_) {
    const std::lock_guard lock(shared_.mutex);
    shared_.lost = gone;
  }
  known_gone_ = std::move(gone);
  if (members_.declared_gone() && !std::exchange(told_gone_, true)) {
    support::warning(
        "rank {}: the others have given me up for gone (I was silent for more than {} s); I go on alone",
        self_, options_.gone_after);
  }
  postbox_.set_epoch(members_.epoch());

  auto live = members_.live_ranks();
  if (tree_version_ > 0 && live == live_) return;
  for (const int rank : live_) {
    if (!std::binary_search(live.begin(), live.end(), rank)) departed_.push_back(rank);
  }
  live_ = std::move(live);
  if (std::find(live_.begin(), live_.end(), self_) == live_.end()) {
    // Given up by the others: a tree of one.
    tree_ = {};
  } else {
    tree_ = membership::make_tree(topology_, live_, self_);
  }
  ++tree_version_;

  std::vector<int> watched = tree_.children;
  if (tree_.parent >= 0) watched.push_back(tree_.parent);
  for (const auto& neighbour : topology_.neighbours(self_)) {
    if (members_.live(neighbour.worker)) watched.push_back(neighbour.worker);
  }
  std::sort(watched.begin(), watched.end());
  watched.erase(std::unique(watched.begin(), watched.end()), watched.end());
  // A new neighbour's silence counts from now on: it did not have to talk to us before.
  for (const int rank : watched) {
    if (!std::binary_search(watched_.begin(), watched_.end(), rank)) members_.heard(now, rank);
  }
  watched_ = std::move(watched);
}

}  // namespace duet::worker
