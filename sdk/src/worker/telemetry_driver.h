#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "duet/options.h"
#include "duet/status.h"
#include "duet/topology.h"
#include "exchange/replica.h"
#include "membership/roster.h"
#include "telemetry/event_queue.h"
#include "telemetry/frame.h"
#include "telemetry/header_schedule.h"
#include "telemetry/publisher.h"
#include "worker/liveness.h"
#include "worker/meeting_driver.h"
#include "worker/shared.h"
#include "worker/tick_driver.h"

namespace duet::worker {

/// Five times a second: puts together what this worker tells (telemetry/frame.h), publishes it, and copies
/// the same to where the trainer's process reads it. Without a publisher only the latter. Communication
/// thread only; it never waits.
class TelemetryDriver {
 public:
  /// publisher: may be null. events: what the others in this thread note.
  TelemetryDriver(std::unique_ptr<telemetry::Publisher> publisher, const Options& options,
                  const membership::Roster& roster, const exchange::Replica& replica,
                  telemetry::EventQueue& events, Shared& shared, double now);

  /// The graph among `members` (ascending) is this one, whose worker k is members[k].
  void set_graph(const Topology& graph, const std::vector<int>& members, const Constants& constants);
  /// There is none for those that are left (a policy that failed): what is left of the one before.
  void keep_graph_among(const std::vector<int>& members);
  void note(telemetry::FrameEventKind kind, int rank);

  /// meetings: null with a synchronous algorithm.
  void advance(double now, const Liveness& liveness, const MeetingDriver* meetings, TickDriver& ticks);
  /// The last frame, when the worker leaves.
  void say_goodbye(double now, const Liveness& liveness, const MeetingDriver* meetings, TickDriver& ticks);
  double next_deadline() const { return next_frame_; }
  const std::string& address() const { return address_; }  ///< any thread; empty: no telemetry

 private:
  void note_phases(const membership::Members& members);
  int new_subscribers();
  telemetry::FrameState state(double now, const Liveness& liveness, const MeetingDriver* meetings,
                              TickDriver& ticks);
  std::vector<float> heartbeat_ages(double now, const membership::Members& members) const;
  telemetry::FrameHeader header(const Liveness& liveness) const;
  void copy_to_trainer(double now, const telemetry::FrameState& state, const Liveness& liveness);
  double steps_per_second(double now, std::uint64_t steps);
  /// Bytes of the frame; 0: there is nobody to publish any more.
  std::size_t publish(std::variant<telemetry::FrameHeader, telemetry::FrameState> content);
  /// A frame is not worth a run.
  void give_up(const std::exception& error);

  std::unique_ptr<telemetry::Publisher> publisher_;
  const std::string address_;
  const Options& options_;
  const membership::Roster& roster_;
  telemetry::EventQueue& events_;
  Shared& shared_;
  double started_;  ///< Unix seconds
  std::uint64_t parameters_ = 0;
  std::uint64_t parameter_bytes_ = 0;

  Constants constants_;
  std::string graph_name_;
  std::vector<telemetry::GraphEdge> edges_;
  std::uint64_t edges_left_out_ = 0;
  int components_ = 1;

  std::uint64_t sequence_ = 0;
  double next_frame_;
  telemetry::HeaderSchedule headers_;
  std::vector<membership::Phase> told_phases_;
  /// (now, steps) of the last seconds.
  std::deque<std::pair<double, std::uint64_t>> pace_;
};

}  // namespace duet::worker
