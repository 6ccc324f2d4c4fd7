#include "worker_track.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace duet::observer {
namespace {

constexpr double kStepWeight = 0.1;  ///< of the newest in the mean step

std::uint64_t in_microseconds(double seconds) {
  return static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 1e12) * 1e6);
}

void copy(const telemetry::Histogram& from, Histogram& to) {
  if (to.bounds.empty()) {
    to.bounds.assign(telemetry::kDurationBounds.begin(), telemetry::kDurationBounds.end());
    to.bounds.push_back(std::numeric_limits<double>::infinity());
  }
  to.counts.assign(from.counts.begin(), from.counts.end());
  to.sum = from.sum;
}

template <typename Reason, typename Counts>
void copy_reasons(const Counts& counts, std::vector<ReasonCount>& to) {
  if (to.empty())
    for (std::size_t i = 0; i < counts.size(); ++i)
      to.push_back({telemetry::to_string(static_cast<Reason>(i)), 0});
  for (std::size_t i = 0; i < counts.size(); ++i)
    to[i].count = counts[i];
}

std::optional<double> share(const RateWindow& microseconds) {
  const std::optional<double> rate = microseconds.rate();
  return rate ? std::optional<double>(std::clamp(*rate * 1e-6, 0.0, 1.0)) : std::nullopt;
}

}  // namespace

WorkerTrack::WorkerTrack(double rate_window)
    : steps_(rate_window),
      long_steps_(kLongWindow),
      pairings_(rate_window),
      sent_(rate_window),
      received_(rate_window),
      waiting_(rate_window),
      partner_waiting_(rate_window) {}

void WorkerTrack::restart() {
  for (RateWindow* window :
       {&steps_, &long_steps_, &pairings_, &sent_, &received_, &waiting_, &partner_waiting_})
    window->restart();
  sequence_ = 0;
  frame_time_ = 0.0;
  offset_.reset();
  mean_step_ = 0.0;
  losses_ = 0;
}

WorkerTrack::Arrived WorkerTrack::arrive(double arrival, const telemetry::Frame& frame, Worker& worker) {
  Arrived arrived;
  const Incarnation incarnation{frame.incarnation.high, frame.incarnation.low};
  if (worker.lives == 0) {
    arrived.verdict = Verdict::kFirst;
    worker.incarnation = incarnation;
    worker.lives = 1;
  } else if (incarnation != worker.incarnation) {
    if (std::find(former_.begin(), former_.end(), incarnation) != former_.end())
      return {.verdict = Verdict::kFormer, .lost = 0, .clock_jump = 0.0};
    if (former_.size() >= kLivesRemembered) former_.erase(former_.begin());
    former_.push_back(worker.incarnation);
    restart();
    arrived.verdict = Verdict::kRestarted;
    Worker fresh;
    fresh.rank = worker.rank;
    fresh.host = worker.host;
    fresh.incarnation = incarnation;
    fresh.lives = worker.lives + 1;
    fresh.state = worker.state;
    fresh.state_since = worker.state_since;
    fresh.target_pairings_per_step = worker.target_pairings_per_step;
    worker = std::move(fresh);
  } else if (frame.sequence <= sequence_) {
    arrived.verdict = Verdict::kSeen;
    return arrived;
  } else if (sequence_ > 0) {
    arrived.lost = frame.sequence - sequence_ - 1;
  }
  sequence_ = frame.sequence;
  ++worker.frames;
  worker.frames_lost += arrived.lost;
  if (!worker.first_heard) worker.first_heard = arrival;
  worker.last_heard = arrival;

  // The one-way delay is never negative: the largest difference is the nearest to the truth. A frame that
  // comes late only looks as if the clock were behind.
  const double difference = frame.time - arrival;
  if (offset_ && (difference > *offset_ + kClockJump || frame.time < frame_time_ - kClockJump)) {
    arrived.clock_jump = difference - *offset_;
    offset_ = difference;
    for (RateWindow* window :
         {&steps_, &long_steps_, &pairings_, &sent_, &received_, &waiting_, &partner_waiting_})
      window->restart();
  }
  offset_ = offset_ ? std::max(*offset_, difference) : difference;
  worker.clock_offset = offset_;
  frame_time_ = frame.time;
  return arrived;
}

double WorkerTrack::local(double time, double arrival) const {
  return std::min(arrival, time - offset_.value_or(0.0));
}

void WorkerTrack::apply(double arrival, double time, const telemetry::FrameState& state, Worker& worker) {
  Counters& counters = worker.counters;
  if (state.steps > counters.steps) {
    if (worker.last_step) {
      const auto steps = static_cast<double>(state.steps - counters.steps);
      const double each = std::max(0.0, arrival - *worker.last_step) / steps;
      // The step that ends a stall is not how long its steps take.
      mean_step_ = mean_step_ > 0.0
                       ? mean_step_ + kStepWeight * (std::min(each, 4.0 * mean_step_) - mean_step_)
                       : each;
    }
    worker.last_step = arrival;
  }
  std::uint64_t sent = 0, received = 0;
  std::array<std::uint64_t, telemetry::kFailureReasons> failures{};
  worker.peers.resize(state.edges.size());
  for (std::size_t i = 0; i < state.edges.size(); ++i) {
    const telemetry::FrameEdge& edge = state.edges[i];
    PeerCounters& peer = worker.peers[i];
    peer.rank = edge.peer;
    peer.pairings = edge.meetings;
    peer.pairing_failures = edge.all_failures();
    peer.sent_bytes = edge.sent_bytes;
    peer.received_bytes = edge.received_bytes;
    const bool met = edge.last_meeting > 0.0;
    peer.last_pairing = met ? std::optional<double>(local(edge.last_meeting, arrival)) : std::nullopt;
    peer.last_distance = met ? std::optional<double>(edge.last_distance) : std::nullopt;
    peer.in_graph = edge.in_graph;
    peer.target_rate = edge.target_rate;
    sent += edge.sent_bytes;
    received += edge.received_bytes;
    for (std::size_t reason = 0; reason < failures.size(); ++reason)
      failures[reason] += edge.failures[reason];
  }
  worker.epoch = state.epoch;
  worker.components = state.components;
  counters.steps = state.steps;
  counters.samples = state.samples;
  counters.pairings = state.meetings;
  counters.sent_bytes = sent;
  counters.received_bytes = received;
  counters.pairing_failures = 0;
  for (const std::uint64_t count : failures)
    counters.pairing_failures += count;
  copy_reasons<telemetry::FailureReason>(failures, counters.failed_pairings);
  copy_reasons<telemetry::RejectReason>(state.rejected_blocks, counters.rejected_blocks);
  counters.shed_pairings = state.shed_meetings;
  counters.reconnects = state.reconnects;
  counters.broken_ticks = state.broken_ticks;
  counters.telemetry_dropped = state.dropped_events;
  copy(state.step_duration, counters.step_duration);
  copy(state.pairing_wait, counters.pairing_wait);
  copy(state.pairing_duration, counters.pairing_duration);
  counters.partner_wait_seconds = state.wait_seconds;
  counters.gate_wait_seconds = state.gate_seconds;
  counters.peer_wait_seconds = state.peer_wait_seconds;

  steps_.add(time, state.steps);
  long_steps_.add(time, state.steps);
  pairings_.add(time, state.meetings);
  sent_.add(time, sent);
  received_.add(time, received);
  waiting_.add(time, in_microseconds(state.gate_seconds + state.peer_wait_seconds));
  partner_waiting_.add(time, in_microseconds(state.wait_seconds));
  worker.steps_per_second = steps_.rate();
  worker.recent_steps_per_second = long_steps_.rate();
  worker.pairings_per_second = pairings_.rate();
  worker.sent_bytes_per_second = sent_.rate();
  worker.received_bytes_per_second = received_.rate();
  worker.waiting_share = share(waiting_);
  worker.partner_wait_share = share(partner_waiting_);
  const double steps_per_second = worker.steps_per_second.value_or(0.0);
  worker.target_pairings_per_step = state.target_rate;
  worker.target_pairings_per_second =
      worker.steps_per_second ? std::optional<double>(state.target_rate * steps_per_second) : std::nullopt;
  worker.pairings_per_step = steps_per_second > 0.0 && worker.pairings_per_second
                                 ? std::optional<double>(*worker.pairings_per_second / steps_per_second)
                                 : std::nullopt;
  if (state.losses > 0) worker.loss = state.loss;
  losses_ = state.losses;

  const bool finite = state.parameters_finite;
  if (!state.ticks.empty()) {
    const telemetry::FrameTick& tick = state.ticks.back();
    worker.tick_time = local(tick.time, arrival);
    worker.distance_to_mean = tick.distance_to_mean;
    worker.consensus_distance = tick.consensus_distance;
  }
  if (finite != worker.finite)
    worker.not_finite_since = finite ? std::nullopt : std::optional<double>(arrival);
  worker.finite = finite;
}

}  // namespace duet::observer
