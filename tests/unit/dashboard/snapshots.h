#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "duet/observer/snapshot.h"

/// Snapshots and updates made by hand, for what no run can be asked to show at a given moment.
namespace duet::dashboard::testing {

inline constexpr double kStart = 1.7e9;

/// A ring whose workers all run.
inline observer::Snapshot ring_snapshot(int workers, double time = kStart) {
  observer::Snapshot snapshot;
  snapshot.time = time;
  snapshot.run.graph = "ring";
  snapshot.run.algorithm = "a2cid2";
  snapshot.run.transport = "inproc";
  snapshot.run.world_size = snapshot.run.members = workers;
  snapshot.run.rate = 1.0;
  snapshot.run.started = kStart;
  for (int rank = 0; rank < workers; ++rank) {
    observer::Worker worker;
    worker.rank = rank;
    worker.host = "node" + std::to_string(rank % 4);
    worker.state = observer::WorkerState::kRunning;
    worker.lives = 1;
    worker.steps_per_second = 5.0;
    worker.pairings_per_second = 4.5;
    worker.target_pairings_per_second = 5.0;
    worker.waiting_share = 0.01;
    worker.distance_to_mean = 0.1 * (rank + 1);
    worker.last_heard = time;
    snapshot.workers.push_back(worker);
    if (workers == 2 && rank == 1) continue;
    observer::Edge edge;
    edge.a = std::min(rank, (rank + 1) % workers);
    edge.b = std::max(rank, (rank + 1) % workers);
    edge.target_rate = 0.5;
    edge.meetings_per_second = 2.0;
    edge.target_per_second = 2.5;
    edge.last_meeting = time - 0.3;
    snapshot.edges.push_back(edge);
  }
  snapshot.steps_per_second = 5.0 * workers;
  return snapshot;
}

/// An update in which everyone sent a frame at `time`.
inline observer::Update frames(int workers, double time, double loss = 1.0) {
  observer::Update update;
  update.changed = true;
  observer::ConsensusSample tick;
  tick.time = time;
  tick.members = workers;
  tick.mean = 0.5;
  tick.max = 1.0;
  for (int rank = 0; rank < workers; ++rank) {
    update.workers.push_back(rank);
    observer::WorkerSample sample;
    sample.time = time;
    sample.rank = rank;
    sample.pairings_per_second = 4.0 + rank * 0.01;
    sample.target_pairings_per_second = 5.0;
    sample.loss = loss;
    update.worker_samples.push_back(sample);
    tick.workers.push_back({rank, 0.5 + 0.001 * rank});
  }
  update.consensus.push_back(tick);
  return update;
}

inline observer::Event event(std::uint64_t number, observer::Severity severity, const std::string& text,
                             int rank = -1) {
  observer::Event happened;
  happened.number = number;
  happened.time = kStart + static_cast<double>(number);
  happened.kind = observer::EventKind::kWorkerNotice;
  happened.severity = severity;
  happened.rank = rank;
  happened.text = text;
  return happened;
}

}  // namespace duet::dashboard::testing
