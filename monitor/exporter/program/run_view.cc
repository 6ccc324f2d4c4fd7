#include "run_view.h"

#include <algorithm>
#include <cstddef>

#include "duet/algorithm.h"
#include "duet/error.h"

namespace duet::exporter {
namespace {

using observer::WorkerState;

/// Frames that a worker sends while all is well are 0.2 s apart.
constexpr double kSilence = 4.0;

DurationHistogram histogram(const observer::Histogram& from) {
  DurationHistogram to;
  std::copy_n(from.counts.begin(), std::min(from.counts.size(), to.counts.size()), to.counts.begin());
  to.sum = from.sum;
  return to;
}

bool reports_meetings(const observer::RunHeader& run, const observer::Worker& worker) {
  if (run.world_size < 2) return false;
  try {
    return algorithm_kind(run.algorithm) == AlgorithmKind::kMeeting;
  } catch (const ConfigurationError&) {
    return !worker.peers.empty();  // workers of a release that knows more
  }
}

WorkerStatistics statistics(const observer::RunHeader& run, const observer::Worker& worker) {
  const observer::Counters& counters = worker.counters;
  WorkerStatistics own;
  own.rank = worker.rank;
  own.steps = counters.steps;
  own.samples = counters.samples;
  own.meetings = counters.pairings;
  own.shed_meetings = counters.shed_pairings;
  own.broken_ticks = counters.broken_ticks;
  own.dropped_events = counters.telemetry_dropped;
  own.reconnects = counters.reconnects;
  own.wait_seconds = counters.partner_wait_seconds;
  own.gate_seconds = counters.gate_wait_seconds;
  own.peer_wait_seconds = counters.peer_wait_seconds;
  own.step_duration = histogram(counters.step_duration);
  own.pairing_wait = histogram(counters.pairing_wait);
  own.pairing_duration = histogram(counters.pairing_duration);
  for (std::size_t i = 0; i < std::min(own.rejected_by_reason.size(), counters.rejected_blocks.size()); ++i) {
    own.rejected_by_reason[i] = counters.rejected_blocks[i].count;
    own.rejected_blocks += counters.rejected_blocks[i].count;
  }
  for (const observer::PeerCounters& peer : worker.peers) {
    own.edges.push_back({.peer = peer.rank,
                         .target_rate = peer.target_rate,
                         .meetings = peer.pairings,
                         .failures = peer.pairing_failures,
                         .bytes_sent = peer.sent_bytes,
                         .bytes_received = peer.received_bytes,
                         .last_distance = peer.last_distance.value_or(0.0),
                         .last_meeting = peer.last_pairing.value_or(0.0),
                         .in_graph = peer.in_graph});
  }
  own.target_rate = worker.target_pairings_per_step;
  own.target_rate_hertz = worker.target_pairings_per_second.value_or(0.0);
  own.epoch = worker.epoch;
  own.components = worker.components;
  own.chi1 = run.chi1;
  own.chi2 = run.chi2;
  own.parameters_finite = worker.finite;
  return own;
}

WorkerView view(const observer::RunHeader& run, const observer::Worker& worker, int most_edges) {
  WorkerView view;
  view.rank = worker.rank;
  view.world_size = run.world_size;
  view.run_id = run.run_id;
  view.version = run.version;
  view.transport = run.transport;
  view.topology = run.graph;
  view.algorithm = run.algorithm;
  view.reports_meetings = reports_meetings(run, worker);
  view.statistics = statistics(run, worker);
  if (worker.tick_time && worker.consensus_distance && worker.distance_to_mean) {
    view.tick = {.time = *worker.tick_time,
                 .consensus_distance = *worker.consensus_distance,
                 .distance_to_mean = *worker.distance_to_mean};
  }
  view.most_edges = most_edges;
  return view;
}

}  // namespace

RunView run_view(const observer::Snapshot& snapshot, const observer::SourceStatus& status,
                 const RunViewOptions& options) {
  RunView run;
  run.run_id = snapshot.run.run_id;
  run.algorithm = snapshot.run.algorithm;
  run.topology = snapshot.run.graph;
  run.world_size = snapshot.run.world_size;
  run.connection = status.text.empty() ? std::string(observer::to_string(status.state)) : status.text;
  for (const observer::Worker& worker : snapshot.workers) {
    switch (worker.state) {
      case WorkerState::kExpected:
        if (!worker.address.empty()) run.silent.push_back(worker.rank);
        continue;
      case WorkerState::kGone:
        if (snapshot.time - worker.state_since < options.forget) run.silent.push_back(worker.rank);
        continue;
      case WorkerState::kFinished:
        if (worker.heartbeat_age(snapshot.time).value_or(kSilence) >= kSilence) continue;
        break;
      default:
        break;
    }
    // Counts that are not there yet are no zeros: a counter would seem to leap. What the run is called comes
    // with the first header.
    if (worker.epoch == 0 || run.algorithm.empty()) continue;
    run.workers.push_back(view(snapshot.run, worker, options.most_edges));
  }
  return run;
}

}  // namespace duet::exporter
