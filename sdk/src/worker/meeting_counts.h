#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "duet/status.h"
#include "duet/topology.h"
#include "exchange/meeting.h"
#include "telemetry/event_queue.h"
#include "telemetry/frame.h"

namespace duet::worker {

/// What is counted of a worker's meetings: for its statistics, its frames and its events. Communication
/// thread only.
class MeetingCounts {
 public:
  explicit MeetingCounts(telemetry::EventQueue& events) : events_(events) {}

  /// The neighbours in the graph as it is now; the others keep their counts.
  void set_neighbours(const std::vector<Neighbour>& neighbours);
  /// A partner was found, after so many seconds with budget and without one.
  void on_found(double waited) { telemetry::record(pairing_wait_, waited); }
  /// `seconds`: how long it took. `time`: Unix seconds.
  void on_complete(int peer, const exchange::MeetingResult& result, double time, double seconds);
  void on_failed(int peer, const exchange::MeetingResult& result, double time, double seconds);
  /// A data connection was opened.
  void on_connected(int peer);

  std::uint64_t meetings() const { return meetings_; }
  double target_rate() const { return target_rate_; }
  void copy_to(WorkerStatistics& statistics) const;
  void copy_to(telemetry::FrameState& state) const;

 private:
  telemetry::FrameEdge& edge(int peer);
  void add_bytes(int peer, const exchange::MeetingResult& result);

  telemetry::EventQueue& events_;
  std::map<int, telemetry::FrameEdge> edges_;
  std::map<int, bool> connected_;
  std::uint64_t meetings_ = 0;
  std::uint64_t reconnects_ = 0;
  double target_rate_ = 0.0;
  std::array<std::uint64_t, kRejectReasons> rejected_{};
  DurationHistogram pairing_wait_, pairing_duration_;
};

}  // namespace duet::worker
