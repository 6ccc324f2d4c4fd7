#include "demo_source.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "duet/version.h"

namespace duet::observer {
namespace {

constexpr double kHeaderInterval = 1.0;
constexpr double kWorkersPerHeader = 64.0;  ///< that are told about in a second
constexpr int kWorkersPerHost = 8;

membership::Incarnation to_wire(const Incarnation& incarnation) {
  return {incarnation.high, incarnation.low};
}

// A histogram that looks like `count` durations around their mean.
telemetry::Histogram spread(std::uint64_t count, double mean) {
  telemetry::Histogram histogram;
  const std::uint64_t short_ones = count / 4, long_ones = count / 20;
  histogram.counts[telemetry::bucket_of(mean * 0.6)] += short_ones;
  histogram.counts[telemetry::bucket_of(mean * 3.0)] += long_ones;
  histogram.counts[telemetry::bucket_of(mean)] += count - short_ones - long_ones;
  histogram.sum = mean * static_cast<double>(count);
  return histogram;
}

}  // namespace

DemoSource::DemoSource(const DemoOptions& options)
    : options_(options),
      header_interval_(std::max(kHeaderInterval, options.workers / kWorkersPerHeader)),
      world_(options),
      voices_(static_cast<std::size_t>(options.workers)),
      position_(options.warm_up) {
  DemoSource::set_speed(options.speed);
  const double interval = 1.0 / options_.frames_per_second;
  for (int rank = 0; rank < options_.workers; ++rank) {
    const double phase = static_cast<double>(rank) / options_.workers;
    due_.push({phase * interval, rank, false});
    due_.push({phase * header_interval_, rank, true});
  }
}

bool DemoSource::take(double now, std::size_t most, std::vector<Arrival>& into) {
  const double passed = taken_at_ < 0.0 ? 0.0 : std::max(0.0, now - taken_at_);
  taken_at_ = now;
  const bool behind = due_.top().time + kDelay < position_ - 1.0 / options_.frames_per_second;
  // Who cannot keep up gets everything, later.
  if (playing_ && !behind) position_ += passed * speed_;
  const double interval = 1.0 / options_.frames_per_second;
  std::size_t count = 0;
  while (due_.top().time + kDelay <= position_ && count < most) {
    Due next = due_.top();
    due_.pop();
    world_.advance(next.time);
    if (world_.worker(next.rank).alive) {
      telemetry::Frame told = frame(next.rank, next.time);
      if (next.header) {
        told.content = header(next.rank);
      } else {
        told.content = state(next.rank, next.time);
      }
      into.push_back({options_.start + next.time + kDelay, telemetry::encode(told)});
      bytes_ += into.back().bytes.size();
      ++frames_;
      ++count;
    }
    next.time += next.header ? header_interval_ : interval;
    due_.push(next);
  }
  return due_.top().time + kDelay <= position_;
}

double DemoSource::time(double /*now*/) const {
  return options_.start + std::min(position_, due_.top().time + kDelay);
}

double DemoSource::end() const {
  return std::numeric_limits<double>::infinity();
}

void DemoSource::set_speed(double speed) {
  speed_ = std::isnan(speed) ? 1.0 : std::clamp(speed, kSlowest, kFastest);
}

SourceStatus DemoSource::status() const {
  SourceStatus status;
  status.kind = SourceKind::kDemo;
  status.state = playing_ ? SourceState::kRunning : SourceState::kPaused;
  status.name =
      "demo, " + std::to_string(options_.workers) + (options_.workers == 1 ? " worker" : " workers");
  status.text = "synthetic workers: no run is watched";
  status.frames = frames_;
  status.bytes = bytes_;
  return status;
}

telemetry::Frame DemoSource::frame(int rank, double time) {
  const DemoWorld::WorkerState& worker = world_.worker(rank);
  Voice& voice = voices_[static_cast<std::size_t>(rank)];
  if (voice.incarnation != worker.incarnation) voice = {.incarnation = worker.incarnation};
  telemetry::Frame frame;
  frame.run_id = "demo-" + std::to_string(options_.seed);
  frame.rank = rank;
  frame.incarnation = to_wire(worker.incarnation);
  frame.sequence = ++voice.sequence;
  frame.time = options_.start + time;
  return frame;
}

telemetry::FrameHeader DemoSource::header(int rank) const {
  const auto host = [](int of) { return "node" + std::to_string(of / kWorkersPerHost); };
  telemetry::FrameHeader header;
  header.started = options_.start + world_.worker(rank).born;
  header.version = DUET_VERSION_STRING;
  header.host = host(rank);
  header.pid = 1000 + rank;
  header.local_rank = rank % kWorkersPerHost;
  header.world_size = options_.workers;
  header.algorithm = options_.algorithm;
  header.graph = options_.graph;
  header.transport = "demo";
  header.clock = "adaptive";
  header.pairing = "holdoff";
  header.rate = options_.rate;
  header.wire_type = "float32";
  header.parameters = DemoWorld::kParameters;
  header.parameter_bytes = 4 * DemoWorld::kParameters;
  const Constants& constants = world_.constants();
  header.chi1 = constants.chi1;
  header.chi2 = constants.chi2;
  header.eta = constants.eta;
  header.alpha = constants.alpha;
  header.alpha_tilde = constants.alpha_tilde;
  header.tick_interval = DemoWorld::kTickInterval;
  header.frame_interval = 1.0 / options_.frames_per_second;
  header.gone_after = 5.0;
  header.epoch = world_.epoch();
  const auto& edges = world_.topology().edges();
  for (std::size_t i = 0; i < edges.size() && i < telemetry::kMostFrameEdges; ++i)
    header.edges.push_back({edges[i].a, edges[i].b, edges[i].rate});
  header.edges_left_out = edges.size() - header.edges.size();
  for (int other = 0; other < options_.workers; ++other) {
    const DemoWorld::WorkerState& worker = world_.worker(other);
    telemetry::FrameMember member;
    member.rank = other;
    member.incarnation = to_wire(worker.incarnation);
    member.host = host(other);
    member.pid = 1000 + other;
    member.local_rank = other % kWorkersPerHost;
    member.telemetry_address =
        "tcp://" + host(other) + ":" + std::to_string(kTelemetryPort + member.local_rank);
    member.phase = worker.alive ? membership::Phase::kTraining : membership::Phase::kGone;
    header.roster.push_back(std::move(member));
  }
  return header;
}

telemetry::FrameState DemoSource::state(int rank, double time) {
  const DemoWorld::WorkerState& worker = world_.worker(rank);
  Voice& voice = voices_[static_cast<std::size_t>(rank)];
  telemetry::FrameState state;
  state.epoch = world_.epoch();
  state.steps = worker.steps;
  state.samples = 32 * worker.steps;
  state.meetings = worker.pairings;
  state.step_duration = spread(worker.steps, worker.slowness / options_.steps_per_second);
  state.pairing_wait = spread(worker.pairings, 0.02 / options_.steps_per_second);
  state.pairing_duration = spread(worker.pairings, 0.15 / options_.steps_per_second);
  state.rejected_blocks[static_cast<std::size_t>(telemetry::RejectReason::kNonFinite)] = worker.rejected;
  state.dropped_events = worker.meetings_dropped;
  state.gate_seconds = worker.waiting;
  state.wait_seconds = 4.0 * worker.waiting;
  state.losses = worker.steps;
  state.loss = worker.steps > 0 ? worker.loss : std::numeric_limits<double>::quiet_NaN();
  state.parameters_finite = worker.finite;
  state.target_rate = world_.topology().workers() > 1 ? world_.topology().rate_of(rank) : 0.0;
  state.target_rate_hertz = state.target_rate * options_.steps_per_second / worker.slowness;
  if (worker.tick && worker.tick->tick > voice.tick_told) {
    voice.tick_told = worker.tick->tick;
    telemetry::FrameTick tick;
    tick.tick = worker.tick->tick;
    tick.time = options_.start + worker.tick->time;
    tick.members = worker.tick->members;
    tick.consensus_distance = worker.tick->consensus;
    tick.distance_to_mean = worker.tick->distance;
    tick.loss = worker.loss;
    tick.steps = worker.steps;
    state.ticks.push_back(tick);
  }
  for (const DemoWorld::Peer& peer : worker.peers) {
    telemetry::FrameEdge edge;
    edge.peer = peer.rank;
    edge.target_rate = peer.target_rate;
    edge.meetings = peer.pairings;
    edge.failures[static_cast<std::size_t>(telemetry::FailureReason::kRejected)] = peer.failures;
    edge.sent_bytes = edge.received_bytes = peer.pairings * 4 * DemoWorld::kParameters;
    edge.last_distance = peer.last_distance.value_or(0.0);
    edge.last_meeting = peer.last_pairing ? options_.start + *peer.last_pairing : 0.0;
    state.edges.push_back(edge);
  }
  for (const DemoWorld::Meeting& meeting : world_.take_meetings(rank)) {
    telemetry::FrameEvent event;
    event.time = options_.start + meeting.time;
    event.kind = meeting.ok ? telemetry::FrameEventKind::kMeeting : telemetry::FrameEventKind::kMeetingFailed;
    event.reason = meeting.ok ? 0 : static_cast<std::uint8_t>(telemetry::FailureReason::kRejected);
    event.rank = meeting.peer;
    event.distance = meeting.ok ? meeting.distance : 0.0;
    event.seconds = meeting.duration;
    state.events.push_back(event);
  }
  for (int other = 0; other < options_.workers; ++other)
    state.heartbeat_ages.push_back(other == rank || world_.worker(other).alive
                                       ? 0.0F
                                       : static_cast<float>(time - world_.worker(other).died));
  return state;
}

std::unique_ptr<Source> make_demo_source(const DemoOptions& options) {
  return std::make_unique<DemoSource>(options);
}

}  // namespace duet::observer
