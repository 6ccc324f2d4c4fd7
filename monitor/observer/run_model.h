#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "duet/observer/observer.h"
#include "edge_table.h"
#include "event_log.h"
#include "run_views.h"
#include "telemetry/frame.h"
#include "tick_aligner.h"
#include "worker_judge.h"
#include "worker_track.h"

namespace duet::observer {

/// From frames to a Snapshot and what is new in it. Pure: whoever drives it hands in arrivals and the time.
class RunModel {
 public:
  explicit RunModel(ObserverOptions options);

  /// A frame as it arrived; what cannot be read is refused, with an event.
  void take(const Arrival& arrival);
  /// Everything that follows from time alone (who is silent, which ticks are closed), then the findings.
  void settle(double time);
  /// A source began anew: forgets everything but the events' numbers.
  void restart();
  void note(double time, EventKind kind, Severity severity, std::string text);

  const Snapshot& snapshot() const { return snapshot_; }
  /// What came since the last call, and nothing of it again.
  void take_update(Update& update);

 private:
  static constexpr int kMostWorkers = EdgeTable::kMostWorkers;
  static constexpr double kDiagnoseEvery = 0.25;  ///< seconds of the run's time
  static constexpr double kClockOff = 5.0;        ///< seconds that are worth an event

  bool belongs(const Arrival& arrival, const telemetry::Frame& frame);
  Worker& worker_of(int rank);
  void take_header(double arrival, int rank, const telemetry::FrameHeader& header);
  void take_state(double arrival, const telemetry::Frame& frame, const telemetry::FrameState& state);
  void take_events(double arrival, int rank, const telemetry::FrameState& state);
  void take_view(double now);
  void say_arrival(double arrival, const WorkerTrack::Arrived& arrived, const Worker& worker);
  void judge_all();
  void change_state(Worker& worker, WorkerState state);
  void compare_findings(const std::vector<Finding>& before);
  void add_event(double time, EventKind kind, Severity severity, int rank, int peer, std::string text);
  std::string name(const Worker& worker) const;

  ObserverOptions options_;
  Snapshot snapshot_;
  std::vector<WorkerTrack> tracks_;  ///< as Snapshot::workers
  std::vector<WorkerHints> hints_;   ///< likewise
  EdgeTable edges_;
  TickAligner aligner_;
  EventLog log_;
  RunViews views_;
  std::uint64_t view_seen_ = 0;
  double heard_ = 0.0;       ///< when the run was last heard
  double diagnosed_ = -1.0;  ///< run time of the last findings
  bool heard_any_ = false;

  Update pending_;
  std::vector<bool> worker_changed_;
  std::vector<bool> edge_changed_;
};

}  // namespace duet::observer
