#include "worker/telemetry_driver.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>

#include "duet/version.h"
#include "support/log.h"
#include "support/wall_clock.h"

namespace duet::worker {
namespace {

constexpr double kFrameInterval = 0.2;
/// Over how long "recent steps per second" looks back.
constexpr double kPaceWindow = 5.0;

/// Parts that edges leave `members` (ascending) in.
int count_components(const std::vector<int>& members, const std::vector<telemetry::GraphEdge>& edges) {
  std::vector<std::size_t> root(members.size());
  std::iota(root.begin(), root.end(), 0u);
  const auto find = [&root](std::size_t at) {
    while (root[at] != at)
      at = root[at] = root[root[at]];
    return at;
  };
  const auto index = [&members](int rank) {
    const auto found = std::lower_bound(members.begin(), members.end(), rank);
    return found != members.end() && *found == rank ? found - members.begin() : -1;
  };
  auto components = static_cast<int>(members.size());
  for (const auto& edge : edges) {
    const auto a = index(edge.a);
    const auto b = index(edge.b);
    if (a < 0 || b < 0) continue;
    const std::size_t root_a = find(static_cast<std::size_t>(a));
    const std::size_t root_b = find(static_cast<std::size_t>(b));
    if (root_a == root_b) continue;
    root[root_a] = root_b;
    --components;
  }
  return components;
}

}  // namespace

TelemetryDriver::TelemetryDriver(std::unique_ptr<telemetry::Publisher> publisher, const Options& options,
                                 const membership::Roster& roster, const exchange::Replica& replica,
                                 telemetry::EventQueue& events, Shared& shared, double now)
    : publisher_(std::move(publisher)),
      address_(publisher_ == nullptr ? std::string() : publisher_->address()),
      options_(options),
      roster_(roster),
      events_(events),
      shared_(shared),
      started_(support::wall_seconds()),
      next_frame_(now),
      told_phases_(roster.entries.size(), membership::Phase::kTraining) {
  for (std::size_t i = 0; i < replica.parameter_block_count(); ++i) {
    parameters_ += replica.block(i).count;
    parameter_bytes_ += replica.block(i).count * size_of(replica.block(i).x.dtype);
  }
}

void TelemetryDriver::set_graph(const Topology& graph, const std::vector<int>& members,
                                const Constants& constants) {
  constants_ = constants;
  graph_name_ = graph.name();
  edges_.clear();
  edges_left_out_ = 0;
  components_ = 1;  // a Topology hangs together
  if (graph.edge_count() > telemetry::kMostFrameEdges) {
    edges_left_out_ = graph.edge_count();
  } else {
    for (const auto& edge : graph.edges())
      edges_.push_back(
          {members[static_cast<std::size_t>(edge.a)], members[static_cast<std::size_t>(edge.b)], edge.rate});
  }
  headers_.news();
}

void TelemetryDriver::keep_graph_among(const std::vector<int>& members) {
  if (edges_left_out_ == 0) components_ = count_components(members, edges_);
  headers_.news();
}

void TelemetryDriver::note(telemetry::FrameEventKind kind, int rank) {
  events_.add({.time = support::wall_seconds(), .kind = kind, .rank = rank});
}

void TelemetryDriver::advance(double now, const Liveness& liveness, const MeetingDriver* meetings,
                              TickDriver& ticks) {
  if (now < next_frame_) return;
  // From now on, not from when it was due: after a pause one frame will do.
  next_frame_ = now + kFrameInterval;
  note_phases(liveness.members());
  if (new_subscribers() > 0) headers_.news();
  const bool with_header = publisher_ != nullptr && headers_.due(now);
  auto now_state = state(now, liveness, meetings, ticks);
  copy_to_trainer(now, now_state, liveness);
  if (with_header) {
    headers_.told(now, publish(header(liveness)));
    // Along with the roster that they belong to: n numbers of each of n workers are too many for every frame.
    now_state.heartbeat_ages = heartbeat_ages(now, liveness.members());
  }
  publish(std::move(now_state));
}

void TelemetryDriver::say_goodbye(double now, const Liveness& liveness, const MeetingDriver* meetings,
                                  TickDriver& ticks) {
  next_frame_ = 0.0;
  headers_ = {};  // due now, whatever was told just before
  advance(now, liveness, meetings, ticks);
}

void TelemetryDriver::note_phases(const membership::Members& members) {
  for (std::size_t i = 0; i < told_phases_.size(); ++i) {
    const auto phase = members.of(static_cast<int>(i)).phase;
    if (phase == told_phases_[i]) continue;
    told_phases_[i] = phase;
    headers_.news();
    if (static_cast<int>(i) == options_.rank) {
      if (phase == membership::Phase::kFinished) note(telemetry::FrameEventKind::kFinished, options_.rank);
    } else if (phase == membership::Phase::kGone) {
      note(telemetry::FrameEventKind::kMemberGone, static_cast<int>(i));
    } else if (phase == membership::Phase::kLeft) {
      note(telemetry::FrameEventKind::kMemberLeft, static_cast<int>(i));
    }
  }
}

int TelemetryDriver::new_subscribers() {
  if (publisher_ == nullptr) return 0;
  try {
    return publisher_->take_new_subscribers();
  } catch (const std::exception& error) {
    give_up(error);
    return 0;
  }
}

telemetry::FrameState TelemetryDriver::state(double now, const Liveness& liveness,
                                             const MeetingDriver* meetings, TickDriver& ticks) {
  telemetry::FrameState state;
  const auto& members = liveness.members();
  state.phase = members.of(options_.rank).phase;
  state.epoch = members.epoch();
  state.steps = shared_.steps.load(std::memory_order_relaxed);
  state.samples = shared_.samples.load(std::memory_order_relaxed);
  state.step_duration = shared_.step_duration.copy();
  state.gate_seconds = shared_.gate_seconds.load(std::memory_order_relaxed);
  state.peer_wait_seconds = shared_.peer_wait_seconds.load(std::memory_order_relaxed);
  state.losses = shared_.losses.load(std::memory_order_acquire);
  if (state.losses > 0) state.loss = shared_.loss.load(std::memory_order_relaxed);
  if (meetings != nullptr) meetings->copy_to(state, now);
  state.target_rate_hertz = state.target_rate * steps_per_second(now, state.steps);
  state.components = components_;
  state.broken_ticks = ticks.broken();
  state.parameters_finite = ticks.parameters_finite();
  for (const RunStatus& tick : ticks.take_completed()) {
    if (state.ticks.size() == telemetry::kMostFrameTicks) break;
    state.ticks.push_back({.tick = tick.tick,
                           .time = static_cast<double>(tick.tick) * options_.telemetry_interval,
                           .members = tick.members,
                           .consensus_distance = tick.consensus_distance,
                           .distance_to_mean = tick.distance_to_mean,
                           .loss = tick.loss,
                           .steps = tick.steps,
                           .samples = tick.samples,
                           .meetings = tick.meetings});
  }
  state.dropped_events = events_.dropped();
  state.events = events_.take();
  return state;
}

std::vector<float> TelemetryDriver::heartbeat_ages(double now, const membership::Members& members) const {
  std::vector<float> ages;
  ages.reserve(roster_.entries.size());
  for (std::size_t i = 0; i < roster_.entries.size(); ++i) {
    const int rank = static_cast<int>(i);
    ages.push_back(rank == options_.rank ? 0.0F : static_cast<float>(members.silence(now, rank)));
  }
  return ages;
}

telemetry::FrameHeader TelemetryDriver::header(const Liveness& liveness) const {
  telemetry::FrameHeader header;
  const auto& own = roster_.entries[static_cast<std::size_t>(options_.rank)];
  header.started = started_;
  header.version = DUET_VERSION_STRING;
  header.host = own.host;
  header.pid = own.pid;
  header.local_rank = options_.local_rank;
  header.world_size = options_.world_size;
  header.algorithm = options_.algorithm;
  header.graph = graph_name_;
  header.transport = roster_.transport;
  header.clock = options_.clock;
  header.pairing = options_.pairing;
  header.rate = options_.rate;
  header.wire_type = options_.wire == DType::kFloat32 ? "float32" : "bfloat16";
  header.parameters = parameters_;
  header.parameter_bytes = parameter_bytes_;
  header.chi1 = constants_.chi1;
  header.chi2 = constants_.chi2;
  header.eta = constants_.eta;
  header.alpha = constants_.alpha;
  header.alpha_tilde = constants_.alpha_tilde;
  header.tick_interval = options_.telemetry_interval;
  header.frame_interval = kFrameInterval;
  header.gone_after = options_.gone_after;
  header.epoch = liveness.members().epoch();
  header.edges = edges_;
  header.edges_left_out = edges_left_out_;
  header.roster.reserve(roster_.entries.size());
  for (const auto& entry : roster_.entries) {
    header.roster.push_back({.rank = entry.rank,
                             .incarnation = entry.incarnation,
                             .host = entry.host,
                             .pid = entry.pid,
                             .local_rank = entry.local_rank,
                             .telemetry_address = entry.telemetry_address,
                             .metrics_address = liveness.metrics_addresses().of(entry.rank),
                             .phase = liveness.members().of(entry.rank).phase});
  }
  return header;
}

void TelemetryDriver::copy_to_trainer(double now, const telemetry::FrameState& state,
                                      const Liveness& liveness) {
  const auto& members = liveness.members();
  const std::lock_guard lock(shared_.mutex);
  auto& statistics = shared_.statistics;
  statistics.target_rate_hertz = state.target_rate_hertz;
  statistics.epoch = state.epoch;
  statistics.components = state.components;
  statistics.chi1 = constants_.chi1;
  statistics.chi2 = constants_.chi2;
  statistics.parameters_finite = state.parameters_finite;
  statistics.dropped_events = state.dropped_events;
  if (shared_.members.empty()) {
    for (const auto& entry : roster_.entries) {
      auto& member = shared_.members.emplace_back();
      member.rank = entry.rank;
      member.local_rank = entry.local_rank;
      member.host = entry.host;
      member.telemetry_address = entry.telemetry_address;
    }
  }
  for (auto& member : shared_.members) {
    member.live = members.live(member.rank);
    member.heartbeat_age = member.rank == options_.rank ? 0.0 : members.silence(now, member.rank);
    const auto& metrics = liveness.metrics_addresses().of(member.rank);
    if (member.metrics_address == metrics) continue;
    member.metrics_address = metrics;
    headers_.news();
  }
}

double TelemetryDriver::steps_per_second(double now, std::uint64_t steps) {
  pace_.emplace_back(now, steps);
  while (pace_.size() > 2 && pace_.front().first < now - kPaceWindow)
    pace_.pop_front();
  const auto& [then, before] = pace_.front();
  return now > then ? static_cast<double>(steps - before) / (now - then) : 0.0;
}

std::size_t TelemetryDriver::publish(std::variant<telemetry::FrameHeader, telemetry::FrameState> content) {
  if (publisher_ == nullptr) return 0;
  telemetry::Frame frame;
  frame.run_id = roster_.run_id;
  frame.rank = options_.rank;
  frame.incarnation = roster_.entries[static_cast<std::size_t>(options_.rank)].incarnation;
  frame.sequence = ++sequence_;
  frame.time = support::wall_seconds();
  frame.content = std::move(content);
  try {
    const std::string bytes = telemetry::encode(frame);
    publisher_->publish(bytes);
    return bytes.size();
  } catch (const std::exception& error) {
    give_up(error);
    return 0;
  }
}

void TelemetryDriver::give_up(const std::exception& error) {
  support::warning("rank {}: telemetry ends: {}; training goes on", options_.rank, error.what());
  publisher_.reset();
}

}  // namespace duet::worker
