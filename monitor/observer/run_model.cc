#include "run_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <variant>

#include "sum_up.h"

namespace duet::observer {
namespace {

// "tcp://10.0.0.7:29800" → "10.0.0.7:29800"
std::string without_scheme(const std::string& address) {
  const std::size_t scheme = address.find("://");
  return scheme == std::string::npos ? address : address.substr(scheme + 3);
}

std::string seconds_text(double seconds) {
  return std::to_string(std::lround(std::abs(seconds))) + " s";
}

bool is_finished(membership::Phase phase) {
  return phase >= membership::Phase::kFinished && phase <= membership::Phase::kLeft;
}

void mark(std::vector<bool>& changed, std::size_t index) {
  if (changed.size() <= index) changed.resize(index + 1, false);
  changed[index] = true;
}

std::vector<std::size_t> marked(std::vector<bool>& changed) {
  std::vector<std::size_t> indices;
  for (std::size_t index = 0; index < changed.size(); ++index)
    if (changed[index]) indices.push_back(index);
  changed.assign(changed.size(), false);
  return indices;
}

}  // namespace

RunModel::RunModel(ObserverOptions options)
    : options_(options),
      edges_(options.rate_window),
      aligner_(options.tick_patience),
      log_(options.most_events) {}

void RunModel::restart() {
  const std::uint64_t generation = snapshot_.generation + 1;
  snapshot_ = {};
  snapshot_.generation = generation;
  tracks_.clear();
  hints_.clear();
  edges_.clear();
  aligner_ = TickAligner(options_.tick_patience);
  log_.clear();
  views_.clear();
  view_seen_ = views_.version();
  heard_any_ = false;
  diagnosed_ = -1.0;
  pending_ = {};
  pending_.restarted = pending_.changed = pending_.shape_changed = pending_.header_changed =
      pending_.findings_changed = true;
  worker_changed_.clear();
  edge_changed_.clear();
}

void RunModel::add_event(double time, EventKind kind, Severity severity, int rank, int peer,
                         std::string text) {
  log_.add(time, kind, severity, rank, peer, std::move(text));
}

void RunModel::note(double time, EventKind kind, Severity severity, std::string text) {
  add_event(time, kind, severity, -1, -1, std::move(text));
}

std::string RunModel::name(const Worker& worker) const {
  return "worker " + std::to_string(worker.rank) + (worker.host.empty() ? "" : " (" + worker.host + ")");
}

Worker& RunModel::worker_of(int rank) {
  const auto index = static_cast<std::size_t>(rank);
  while (snapshot_.workers.size() <= index) {
    Worker worker;
    worker.rank = static_cast<int>(snapshot_.workers.size());
    worker.state_since = snapshot_.time;
    snapshot_.workers.push_back(std::move(worker));
    tracks_.emplace_back(options_.rate_window);
    hints_.emplace_back();
    mark(worker_changed_, snapshot_.workers.size() - 1);
    pending_.shape_changed = true;
  }
  return snapshot_.workers[index];
}

// ---- frames
// ----------------------------------------------------------------------------------------------------

bool RunModel::belongs(const Arrival& arrival, const telemetry::Frame& frame) {
  if (frame.run_id == snapshot_.run.run_id) return true;
  if (!snapshot_.run.run_id.empty()) {
    const bool over =
        arrival.time - heard_ > options_.limits.gone_after ||
        std::all_of(snapshot_.workers.begin(), snapshot_.workers.end(), [](const Worker& worker) {
          return worker.state == WorkerState::kGone || worker.state == WorkerState::kFinished;
        });
    if (!over) {
      add_event(arrival.time, EventKind::kOtherRun, Severity::kWarning, frame.rank, -1,
                "worker " + std::to_string(frame.rank) + " of another run (" + frame.run_id.substr(0, 64) +
                    ") is heard too: left out");
      return false;
    }
    restart();
    snapshot_.time = arrival.time;
    add_event(arrival.time, EventKind::kConnected, Severity::kInfo, -1, -1,
              "another run has taken the place of the one before: " + frame.run_id.substr(0, 64));
  }
  snapshot_.run.run_id = frame.run_id;
  pending_.header_changed = true;
  return true;
}

void RunModel::take(const Arrival& arrival) {
  pending_.changed = true;
  snapshot_.time = std::max(snapshot_.time, arrival.time);
  std::string reason;
  const std::optional<telemetry::Frame> frame = telemetry::decode(arrival.bytes, &reason);
  if (!frame) {
    add_event(arrival.time, EventKind::kRefused, Severity::kWarning, -1, -1, reason);
    return;
  }
  if (frame->rank >= kMostWorkers) {
    add_event(arrival.time, EventKind::kRefused, Severity::kWarning, -1, -1,
              "a telemetry frame was refused: it claims rank " + std::to_string(frame->rank) +
                  ", more than " + std::to_string(kMostWorkers) + " workers cannot be watched");
    return;
  }
  if (!belongs(arrival, *frame)) return;
  Worker& worker = worker_of(frame->rank);
  WorkerTrack& track = tracks_[static_cast<std::size_t>(frame->rank)];
  const WorkerTrack::Arrived arrived = track.arrive(arrival.time, *frame, worker);
  if (arrived.verdict == WorkerTrack::Verdict::kSeen || arrived.verdict == WorkerTrack::Verdict::kFormer)
    return;
  heard_ = arrival.time;
  mark(worker_changed_, static_cast<std::size_t>(frame->rank));
  if (arrived.verdict == WorkerTrack::Verdict::kRestarted) {
    edges_.restart(frame->rank);
    hints_[static_cast<std::size_t>(frame->rank)] = {};
  }
  say_arrival(arrival.time, arrived, worker);
  if (const auto* header = std::get_if<telemetry::FrameHeader>(&frame->content)) {
    take_header(arrival.time, frame->rank, *header);
  } else {
    take_state(arrival.time, *frame, std::get<telemetry::FrameState>(frame->content));
  }
}

void RunModel::say_arrival(double arrival, const WorkerTrack::Arrived& arrived, const Worker& worker) {
  if (!heard_any_) {
    heard_any_ = true;
    add_event(arrival, EventKind::kConnected, Severity::kInfo, worker.rank, -1,
              "connected: " + name(worker) + " is heard");
  }
  switch (arrived.verdict) {
    case WorkerTrack::Verdict::kFirst:
      add_event(arrival, EventKind::kWorkerJoined, Severity::kInfo, worker.rank, -1,
                name(worker) + " is there");
      break;
    case WorkerTrack::Verdict::kRestarted:
      add_event(arrival, EventKind::kWorkerRestarted, Severity::kWarning, worker.rank, -1,
                name(worker) + " is there under another incarnation (" + short_text(worker.incarnation) +
                    "): it was started anew");
      break;
    default:
      break;
  }
  if (arrived.lost > 0) {
    add_event(arrival, EventKind::kLost, Severity::kInfo, worker.rank, -1,
              std::to_string(arrived.lost) + (arrived.lost == 1 ? " frame of " : " frames of ") +
                  name(worker) + (arrived.lost == 1 ? " was lost on the way" : " were lost on the way"));
  }
  if (arrived.clock_jump != 0.0) {
    add_event(arrival, EventKind::kClock, Severity::kWarning, worker.rank, -1,
              "the wall clock of " + name(worker) + " jumped by " + seconds_text(arrived.clock_jump) +
                  (arrived.clock_jump > 0.0 ? " ahead" : " back"));
  } else if (worker.frames == 1 && std::abs(worker.clock_offset.value_or(0.0)) > kClockOff) {
    add_event(arrival, EventKind::kClock, Severity::kWarning, worker.rank, -1,
              "the wall clock of " + name(worker) + " is " + seconds_text(*worker.clock_offset) +
                  (*worker.clock_offset > 0.0 ? " ahead" : " behind") + ": times are corrected by that");
  }
}

void RunModel::take_header(double arrival, int rank, const telemetry::FrameHeader& header) {
  {
    Worker& worker = snapshot_.workers[static_cast<std::size_t>(rank)];
    worker.host = header.host;
    worker.pid = header.pid;
    worker.local_rank = header.local_rank;
    const double started = tracks_[static_cast<std::size_t>(rank)].local(header.started, arrival);
    if (!snapshot_.run.started || started < *snapshot_.run.started) snapshot_.run.started = started;
  }
  for (const telemetry::FrameMember& member : header.roster) {
    if (member.rank >= kMostWorkers) continue;
    Worker& worker = worker_of(member.rank);
    WorkerHints& hints = hints_[static_cast<std::size_t>(member.rank)];
    const Incarnation incarnation{member.incarnation.high, member.incarnation.low};
    if (worker.lives == 0) {
      worker.host = member.host;
      worker.pid = member.pid;
      worker.local_rank = member.local_rank;
    } else if (incarnation != worker.incarnation) {
      continue;  // of another life of it
    }
    worker.address = without_scheme(member.telemetry_address);
    worker.metrics_address = member.metrics_address;
    hints.said_finished = hints.said_finished || is_finished(member.phase);
    hints.said_gone = member.phase == membership::Phase::kGone;
  }
  RunHeader& run = snapshot_.run;
  run.version = header.version;
  run.world_size = std::max(run.world_size, header.world_size);
  run.parameters = header.parameters;
  run.parameter_bytes = header.parameter_bytes;
  if (header.frame_interval > 0.0) run.frame_interval = header.frame_interval;
  views_.say(rank, header);
}

void RunModel::take_state(double arrival, const telemetry::Frame& frame, const telemetry::FrameState& state) {
  const auto index = static_cast<std::size_t>(frame.rank);
  Worker& worker = snapshot_.workers[index];
  WorkerTrack& track = tracks_[index];
  const std::uint64_t losses = track.losses_reported();
  const bool was_finite = worker.finite;
  track.apply(arrival, frame.time, state, worker);
  hints_[index].said_finished = hints_[index].said_finished || is_finished(state.phase);
  if (was_finite && !worker.finite) {
    add_event(arrival, EventKind::kNonFinite, Severity::kError, frame.rank, -1,
              name(worker) + " has parameters that are not finite");
  }
  for (const PeerCounters& peer : worker.peers) {
    const std::size_t before = snapshot_.edges.size();
    const auto place = edges_.count(arrival, frame.rank, peer, snapshot_.edges);
    if (!place) continue;
    mark(edge_changed_, *place);
    if (snapshot_.edges.size() != before) pending_.shape_changed = true;
  }
  for (const telemetry::FrameTick& tick : state.ticks) {
    aligner_.add(arrival, {.tick = tick.tick,
                           .time = track.local(tick.time, arrival),
                           .rank = frame.rank,
                           .members = tick.members,
                           .consensus = tick.consensus_distance,
                           .distance = tick.distance_to_mean});
  }
  WorkerSample sample;
  sample.time = arrival;
  sample.rank = frame.rank;
  sample.steps = state.steps;
  sample.steps_per_second = worker.steps_per_second;
  sample.pairings_per_second = worker.pairings_per_second;
  sample.target_pairings_per_second = worker.target_pairings_per_second;
  sample.waiting_share = worker.waiting_share;
  sample.partner_wait_share = worker.partner_wait_share;
  sample.sent_bytes_per_second = worker.sent_bytes_per_second;
  sample.received_bytes_per_second = worker.received_bytes_per_second;
  if (state.losses != losses && state.losses > 0) sample.loss = state.loss;
  pending_.worker_samples.push_back(sample);
  take_events(arrival, frame.rank, state);
}

void RunModel::take_events(double arrival, int rank, const telemetry::FrameState& state) {
  const WorkerTrack& track = tracks_[static_cast<std::size_t>(rank)];
  const Worker& worker = snapshot_.workers[static_cast<std::size_t>(rank)];
  for (const telemetry::FrameEvent& event : state.events) {
    const double time = track.local(event.time, arrival);
    switch (event.kind) {
      case telemetry::FrameEventKind::kMeeting:
      case telemetry::FrameEventKind::kMeetingFailed: {
        // Of whom nobody knows, there is nothing to draw.
        if (event.rank == rank || snapshot_.worker(event.rank) == nullptr) break;
        // Both ends tell of it: the lower rank is believed, unless it is not heard.
        const Worker* const lower = snapshot_.worker(std::min(rank, event.rank));
        const bool lower_is_heard = lower != nullptr && lower->live();
        if (rank > event.rank && lower_is_heard) break;
        const bool ok = event.kind == telemetry::FrameEventKind::kMeeting;
        pending_.meetings.push_back({.time = time,
                                     .a = std::min(rank, event.rank),
                                     .b = std::max(rank, event.rank),
                                     .ok = ok,
                                     .duration = event.seconds,
                                     .distance = ok ? std::optional<double>(event.distance) : std::nullopt});
        break;
      }
      case telemetry::FrameEventKind::kBlockRejected:
        add_event(time, EventKind::kWorkerNotice, Severity::kWarning, rank, event.rank,
                  name(worker) + " refused a block of worker " + std::to_string(event.rank) + ": " +
                      telemetry::to_string(static_cast<telemetry::RejectReason>(event.reason)));
        break;
      case telemetry::FrameEventKind::kGivenUp:
        add_event(time, EventKind::kWorkerNotice, Severity::kError, rank, -1,
                  name(worker) + " says that the others have given it up");
        break;
      default:
        break;  // what they tell shows in the roster and the graph, once for all workers
    }
  }
  if (pending_.meetings.size() > options_.most_meetings) {
    const auto surplus = static_cast<std::ptrdiff_t>(pending_.meetings.size() - options_.most_meetings);
    pending_.meetings.erase(pending_.meetings.begin(), pending_.meetings.begin() + surplus);
  }
}

// ---- what follows
// ---------------------------------------------------------------------------------------------------

void RunModel::take_view(double now) {
  if (views_.version() == view_seen_) return;
  view_seen_ = views_.version();
  const telemetry::FrameHeader* const view = views_.header();
  if (view == nullptr) return;
  RunHeader& run = snapshot_.run;
  if (run.epoch != 0 && view->epoch != run.epoch) {
    add_event(now, EventKind::kEpochChanged, Severity::kInfo, -1, -1,
              "epoch " + std::to_string(view->epoch) + ": the members changed, and with them the graph");
  }
  run.algorithm = view->algorithm;
  run.graph = view->graph;
  run.transport = view->transport;
  run.clock = view->clock;
  run.pairing = view->pairing;
  run.wire_type = view->wire_type;
  run.epoch = view->epoch;
  run.rate = view->rate;
  run.chi1 = view->chi1;
  run.chi2 = view->chi2;
  run.eta = view->eta;
  run.alpha = view->alpha;
  run.alpha_tilde = view->alpha_tilde;
  run.edges_left_out = view->edges_left_out;
  if (view->tick_interval > 0.0) run.tick_interval = view->tick_interval;
  pending_.header_changed = true;
  if (edges_.set_graph(now, view->edges, snapshot_.edges)) {
    pending_.shape_changed = true;
    for (std::size_t place = 0; place < snapshot_.edges.size(); ++place)
      mark(edge_changed_, place);
  }
}

void RunModel::change_state(Worker& worker, WorkerState state) {
  const WorkerState before = worker.state;
  const double now = snapshot_.time;
  worker.state = state;
  worker.state_since = now;
  const bool steps = state == WorkerState::kRunning || state == WorkerState::kStraggling;
  if (!steps) {
    worker.running_since.reset();
  } else if (!worker.running_since) {
    worker.running_since = now;
  }
  mark(worker_changed_, static_cast<std::size_t>(worker.rank));
  pending_.changed = true;
  const auto say = [&](EventKind kind, Severity severity, const std::string& text) {
    add_event(now, kind, severity, worker.rank, -1, name(worker) + text);
  };
  switch (state) {
    case WorkerState::kGone:
      views_.forget(worker.rank);
      say(EventKind::kWorkerGone, Severity::kError, " is not heard any more");
      break;
    case WorkerState::kStalled:
      say(EventKind::kWorkerStalled, Severity::kError, " makes no steps");
      break;
    case WorkerState::kStraggling:
      if (before == WorkerState::kGone) say(EventKind::kWorkerReturned, Severity::kInfo, " is heard again");
      say(EventKind::kWorkerStraggling, Severity::kWarning, " is much slower than the others");
      break;
    case WorkerState::kFinished:
      say(EventKind::kWorkerFinished, Severity::kInfo, " has finished");
      break;
    case WorkerState::kRunning:
      if (before == WorkerState::kGone) say(EventKind::kWorkerReturned, Severity::kInfo, " is heard again");
      if (before == WorkerState::kStalled)
        say(EventKind::kWorkerReturned, Severity::kInfo, " makes steps again");
      if (before == WorkerState::kStraggling)
        say(EventKind::kWorkerRecovered, Severity::kInfo, " keeps up again");
      break;
    case WorkerState::kExpected:
      break;
  }
}

void RunModel::judge_all() {
  const std::optional<double> pace = median_pace(snapshot_);
  snapshot_.median_steps_per_second = pace;
  for (Worker& worker : snapshot_.workers) {
    const auto index = static_cast<std::size_t>(worker.rank);
    WorkerHints hints = hints_[index];
    hints.mean_step = tracks_[index].mean_step();
    const WorkerState state = judge(snapshot_, worker, hints, pace, options_.limits);
    if (state != worker.state) change_state(worker, state);
    // Rates of who is not heard are not what they were.
    if (state == WorkerState::kGone || state == WorkerState::kFinished) {
      for (auto* rate :
           {&worker.steps_per_second, &worker.pairings_per_second, &worker.target_pairings_per_second,
            &worker.sent_bytes_per_second, &worker.received_bytes_per_second})
        if (snapshot_.time - worker.last_heard.value_or(0.0) > options_.limits.gone_after) rate->reset();
    }
  }
}

void RunModel::settle(double time) {
  snapshot_.time = std::max(snapshot_.time, time);
  take_view(snapshot_.time);
  for (ConsensusSample& sample : aligner_.take(snapshot_.time)) {
    ++snapshot_.ticks;
    snapshot_.consensus = sample;
    pending_.consensus.push_back(std::move(sample));
    pending_.changed = true;
  }
  snapshot_.missed_ticks = aligner_.missed();
  if (snapshot_.time - diagnosed_ < kDiagnoseEvery) return;
  diagnosed_ = snapshot_.time;
  // An edge may name ranks that nobody was heard of.
  for (const Edge& edge : snapshot_.edges)
    worker_of(edge.b);
  judge_all();
  take_view(snapshot_.time);  // who is gone has no say any more
  sum_up(snapshot_);
  const std::vector<Finding> before = std::move(snapshot_.findings);
  snapshot_.findings = diagnose(snapshot_, options_.limits);
  compare_findings(before);
}

void RunModel::compare_findings(const std::vector<Finding>& before) {
  // By what they are about: of a large graph that was cut there are very many.
  const auto key = [](const Finding& finding) {
    return std::tuple(finding.kind, finding.rank, finding.peer);
  };
  using Key = std::tuple<FindingKind, int, int>;
  std::map<Key, double> since;
  for (const Finding& finding : before)
    since.emplace(key(finding), finding.since);
  const double now = snapshot_.time;
  bool split = false;
  int parts = 1;
  for (Finding& finding : snapshot_.findings) {
    if (finding.kind == FindingKind::kSplitGraph) split = true, ++parts;
    // Some know only that it is so now: since when is what was known before. What is left over has ended.
    if (const auto known = since.extract(key(finding))) {
      finding.since = std::min(finding.since, known.mapped());
      continue;
    }
    pending_.findings_changed = true;
    if (finding.kind == FindingKind::kDeadEdge)
      add_event(now, EventKind::kEdgeDead, Severity::kWarning, finding.rank, finding.peer, finding.text);
  }
  for (const auto& ended : since) {
    pending_.findings_changed = true;
    const auto& [kind, rank, peer] = ended.first;
    if (kind == FindingKind::kDeadEdge)
      add_event(now, EventKind::kEdgeAlive, Severity::kInfo, rank, peer,
                "the edge between workers " + std::to_string(rank) + " and " + std::to_string(peer) +
                    " is not dead any more");
  }
  if (split && !snapshot_.split_since) {
    snapshot_.split_since = now;
    add_event(now, EventKind::kGraphSplit, Severity::kError, -1, -1,
              "the live workers have fallen into " + std::to_string(parts) + " parts");
  } else if (!split && snapshot_.split_since) {
    snapshot_.split_since.reset();
    add_event(now, EventKind::kGraphJoined, Severity::kInfo, -1, -1, "the live workers hang together again");
  }
  if (snapshot_.run.components != parts) pending_.header_changed = true;
  snapshot_.run.components = parts;
  pending_.changed = pending_.changed || pending_.findings_changed;
}

void RunModel::take_update(Update& update) {
  pending_.events = log_.take();
  if (!pending_.events.empty()) snapshot_.events = log_.events();
  pending_.changed = pending_.changed || !pending_.events.empty();
  for (const std::size_t rank : marked(worker_changed_))
    pending_.workers.push_back(static_cast<int>(rank));
  pending_.edges = marked(edge_changed_);
  update = std::move(pending_);
  pending_ = {};
}

}  // namespace duet::observer
