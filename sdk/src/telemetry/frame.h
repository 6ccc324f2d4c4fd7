#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "duet/status.h"
#include "membership/members.h"
#include "membership/roster.h"
#include "telemetry/histogram.h"

/// What a worker tells whoever subscribes to its telemetry: frames, as values. frame.fbs is how they look on
/// the wire; decode() verifies before it believes. Pure and thread-safe; depends on nothing of Duet's but
/// headers, so that monitors link it alone (target duet_telemetry_frame).
///
/// On the socket (ZeroMQ, XPUB) a frame is one message of one part, without a topic: subscribe to "".
namespace duet::telemetry {

/// Of frame.fbs.
inline constexpr std::uint32_t kFrameVersion = 1;

/// One edge of the graph among those present.
struct GraphEdge {
  int a = 0;
  int b = 0;
  double rate = 0.0;  ///< λ_ab, meetings per gradient step
  bool operator==(const GraphEdge&) const = default;
};

/// One member of the run, as this worker knows it.
struct FrameMember {
  int rank = 0;
  membership::Incarnation incarnation = {};
  std::string host;
  std::int64_t pid = 0;
  int local_rank = 0;
  std::string telemetry_address;  ///< "tcp://10.0.0.7:29800"; empty: none
  std::string metrics_address;    ///< "10.0.0.7:29700"; empty: none, or not known yet
  membership::Phase phase = membership::Phase::kTraining;
  bool operator==(const FrameMember&) const = default;
};

/// What hardly changes: about once a second, less often in a large run (header_schedule.h), to each new
/// subscriber, and when something of it changed.
struct FrameHeader {
  double started = 0.0;  ///< Unix seconds: when this worker joined
  std::string version;   ///< of Duet
  std::string host;
  std::int64_t pid = 0;
  int local_rank = 0;
  int world_size = 1;
  std::string algorithm;
  std::string graph;  ///< the topology's name
  std::string transport;
  std::string clock;
  std::string pairing;
  double rate = 0.0;             ///< Options::rate
  std::string wire_type;         ///< "float32", "bfloat16"
  std::uint64_t parameters = 0;  ///< elements of the buffers that meet, statistics left out
  std::uint64_t parameter_bytes = 0;
  /// Of the graph among those present. 0: not computed (plain averaging needs none; a graph of one).
  double chi1 = 0.0;
  double chi2 = 0.0;
  double eta = 0.0;
  double alpha = 0.5;
  double alpha_tilde = 0.5;
  double tick_interval = 0.0;   ///< seconds between two ticks of the consensus distance; 0: there are none
  double frame_interval = 0.0;  ///< seconds between two states
  double gone_after = 0.0;      ///< silence after which the run gives a member up, seconds
  std::uint64_t epoch = 0;
  std::vector<GraphEdge> edges;
  std::uint64_t edges_left_out = 0;  ///< beyond kMostFrameEdges
  std::vector<FrameMember> roster;   ///< by rank, those that are gone included
  bool operator==(const FrameHeader&) const = default;
};

/// The run at one common wall-clock tick, as RunStatus has it.
struct FrameTick {
  std::uint64_t tick = 0;
  double time = 0.0;  ///< of the tick: tick × tick_interval, Unix seconds
  int members = 0;
  double consensus_distance = 0.0;  ///< NaN: a member's parameters are not finite
  double distance_to_mean = 0.0;    ///< this worker's; NaN likewise
  double loss = 0.0;                ///< mean over those who reported one; NaN: none did
  std::uint64_t steps = 0;
  std::uint64_t samples = 0;
  std::uint64_t meetings = 0;  ///< each counted once
};

using duet::FailureReason;
using duet::kFailureReasons;
using duet::kRejectReasons;
using duet::RejectReason;

/// An edge as this worker sees it: its neighbours in the present graph, and whoever was one.
struct FrameEdge {
  int peer = 0;
  bool in_graph = true;
  double target_rate = 0.0;  ///< λ_ij, per gradient step
  std::uint64_t meetings = 0;
  std::array<std::uint64_t, kFailureReasons> failures{};  ///< by FailureReason
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_bytes = 0;
  double last_distance = 0.0;  ///< ‖x_i − x_j‖ at the last meeting
  double last_meeting = 0.0;   ///< Unix seconds; 0: never
  bool operator==(const FrameEdge&) const = default;

  std::uint64_t all_failures() const {
    std::uint64_t sum = 0;
    for (const auto count : failures)
      sum += count;
    return sum;
  }
};

enum class FrameEventKind : std::uint8_t {
  kStarted,        ///< this worker has rank 0's parameters and may train
  kMeeting,        ///< complete: rank, distance, seconds
  kMeetingFailed,  ///< rank, seconds; reason: FailureReason
  kBlockRejected,  ///< rank; reason: RejectReason
  kMemberGone,     ///< rank: silent for too long
  kMemberLeft,     ///< rank: said goodbye
  kGraphRepaired,  ///< the graph is another one now; rank: −1
  kGivenUp,        ///< the others have given this worker up; rank: its own
  kFinished,       ///< this worker trained all that it wanted; rank: its own
};
inline constexpr auto kLastEventKind = FrameEventKind::kFinished;

struct FrameEvent {
  double time = 0.0;  ///< Unix seconds
  FrameEventKind kind = FrameEventKind::kStarted;
  std::uint8_t reason = 0;  ///< see kind
  int rank = -1;
  double distance = 0.0;
  double seconds = 0.0;
  bool operator==(const FrameEvent&) const = default;
};

/// What changes all the time; every frame_interval, and once more when the worker leaves. Counts are since
/// the worker joined and never fall.
struct FrameState {
  membership::Phase phase = membership::Phase::kTraining;
  std::uint64_t epoch = 0;
  std::uint64_t steps = 0;
  std::uint64_t samples = 0;
  std::uint64_t meetings = 0;
  Histogram step_duration;     ///< from one step() to the next
  Histogram pairing_wait;      ///< with budget and no partner, until a partner was found
  Histogram pairing_duration;  ///< of complete meetings
  std::uint64_t shed_meetings = 0;
  std::array<std::uint64_t, kRejectReasons> rejected_blocks{};  ///< by RejectReason
  std::uint64_t reconnects = 0;  ///< data connections opened to a peer that had had one before
  std::uint64_t broken_ticks = 0;
  std::uint64_t dropped_events = 0;
  double wait_seconds = 0.0;       ///< had budget, but no partner (the communication thread; nobody waits)
  double gate_seconds = 0.0;       ///< the trainer waited for the gate
  double peer_wait_seconds = 0.0;  ///< the trainer waited for others in a synchronous algorithm
  std::uint64_t losses = 0;        ///< how often a loss was reported
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< the last one; NaN: none, or it was
  bool parameters_finite = true;                           ///< of this worker, at its last tick
  double target_rate = 0.0;        ///< λ_i of the present graph, meetings per gradient step
  double target_rate_hertz = 0.0;  ///< λ_i × this worker's recent steps per second
  int components = 1;              ///< parts of the graph among those present
  /// Those that completed since the last state, oldest first: usually one. None: the tick is missing. A tick
  /// is in one state only.
  std::vector<FrameTick> ticks;
  std::vector<FrameEdge> edges;  ///< by peer
  /// Seconds since each rank's last sign of life, 0 for this one: in a state that follows a header; else
  /// empty.
  std::vector<float> heartbeat_ages;
  std::vector<FrameEvent> events;  ///< since the last state, oldest first; see dropped_events
};

struct Frame {
  std::string run_id;
  int rank = 0;
  membership::Incarnation incarnation = {};
  /// Counts this worker's frames of both kinds from 1: a gap is what a slow reader has lost.
  std::uint64_t sequence = 0;
  double time = 0.0;  ///< Unix seconds, on the worker's clock
  std::variant<FrameHeader, FrameState> content;
};

/// What a frame may hold at most. encode() leaves out what is more (edges: counted) or throws
/// std::length_error, decode() refuses it.
inline constexpr std::size_t kLargestFrame = 64u << 20;      ///< bytes
inline constexpr std::size_t kLargestFrameText = 64u << 10;  ///< bytes of any text
inline constexpr std::size_t kMostFrameMembers = 65536;
inline constexpr std::size_t kMostFrameEdges = 65536;  ///< of FrameHeader::edges; FrameState's: as members
inline constexpr std::size_t kMostFrameTicks = 64;
inline constexpr std::size_t kMostFrameEvents = 1024;

std::string encode(const Frame& frame);
/// nullopt, and *reason where given, when the bytes are not a valid frame of a version that is known here.
std::optional<Frame> decode(std::string_view bytes, std::string* reason = nullptr);

/// "timeout", "peer_gone", …: what metrics and logs call them.
const char* to_string(FailureReason reason);
const char* to_string(RejectReason reason);
const char* to_string(FrameEventKind kind);

}  // namespace duet::telemetry
