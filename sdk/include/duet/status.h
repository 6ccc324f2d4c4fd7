#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace duet {

/// The run as every worker knows it: sums over the members' tree at one common wall-clock tick
/// (docs/concepts.md).
struct RunStatus {
  std::uint64_t tick = 0;  ///< wall-clock time of the tick = tick × telemetry_interval; 0: no tick yet
  int members = 0;         ///< that this tick counts
  /// √(mean over workers of ‖x_i − x̄‖²) of positions x + d, estimated from sketches (relative error about 4
  /// %).
  double consensus_distance = 0.0;
  double loss = 0.0;        ///< mean over the workers that reported one; NaN when none did
  std::uint64_t steps = 0;  ///< of all workers
  std::uint64_t samples = 0;
  std::uint64_t meetings = 0;     ///< each counted once
  double distance_to_mean = 0.0;  ///< this worker's ‖x_i − x̄‖, from the same sketches
};

/// Why a meeting broke off.
enum class FailureReason : std::uint8_t {
  kOther,
  kTimeout,    ///< no progress for meeting_timeout, or no connection within connect_timeout
  kPeerGone,   ///< the peer is gone, or let go of it before it began
  kTransport,  ///< the transport reported an error
  kRejected,   ///< a block was refused: see RejectReason
};
constexpr std::size_t kFailureReasons = 5;

/// Why a block was refused, before anything of it reached the parameters.
enum class RejectReason : std::uint8_t {
  kHeader,     ///< length, meeting or index are not those of the block that was due
  kChecksum,   ///< damaged, or of another meeting
  kNonFinite,  ///< holds a NaN or an infinity
};
constexpr std::size_t kRejectReasons = 3;

/// How often a duration fell into each bucket.
struct DurationHistogram {
  /// Upper bounds of the buckets, seconds; one more bucket is for what is longer.
  static constexpr std::array<double, 12> kBounds = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2,
                                                     0.1,  0.3,  1.0,  3.0,  10.0, 30.0};
  static constexpr std::size_t kBuckets = kBounds.size() + 1;
  std::array<std::uint64_t, kBuckets> counts{};  ///< of each bucket alone, not cumulative
  double sum = 0.0;                              ///< of all durations, seconds

  std::uint64_t count() const {
    std::uint64_t total = 0;
    for (const auto bucket : counts)
      total += bucket;
    return total;
  }
  bool operator==(const DurationHistogram&) const = default;
};

/// One edge as this worker sees it.
struct EdgeStatistics {
  int peer = 0;
  double target_rate = 0.0;  ///< λ_ij, per gradient step; 0: no edge of the present graph any more
  std::uint64_t meetings = 0;
  std::uint64_t failures = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  double last_distance = 0.0;  ///< ‖x_i − x_j‖ at the last meeting
  double last_meeting = 0.0;   ///< Unix seconds; 0: none yet
  bool in_graph = true;        ///< of the graph among those present
};

/// This worker's own counts.
struct WorkerStatistics {
  int rank = 0;
  std::uint64_t steps = 0;
  std::uint64_t samples = 0;
  std::uint64_t meetings = 0;
  std::uint64_t shed_meetings = 0;    ///< budget that could not be spent in time
  std::uint64_t rejected_blocks = 0;  ///< wrong length, checksum or a non-finite value: never applied
  std::uint64_t broken_ticks = 0;
  double wait_seconds = 0.0;  ///< had budget, but no partner
  double gate_seconds = 0.0;  ///< trainer waited for the gate
  std::vector<EdgeStatistics> edges;

  double peer_wait_seconds = 0.0;      ///< trainer waited for others in a synchronous algorithm
  DurationHistogram step_duration;     ///< from one step() to the next
  DurationHistogram pairing_wait;      ///< had budget, but no partner, until one was found
  DurationHistogram pairing_duration;  ///< of complete meetings
  std::array<std::uint64_t, kRejectReasons> rejected_by_reason{};  ///< rejected_blocks, by RejectReason
  std::uint64_t reconnects = 0;      ///< data connections opened to a peer that had had one before
  std::uint64_t dropped_events = 0;  ///< telemetry events for which there was no room
  double target_rate = 0.0;          ///< λ_i of the present graph, meetings per gradient step
  double target_rate_hertz = 0.0;    ///< λ_i × recent steps per second
  std::uint64_t epoch = 1;           ///< 1 + members lost
  int components = 1;                ///< parts of the graph among those present
  double chi1 = 0.0;                 ///< of that graph; 0: not computed (large, without a formula)
  double chi2 = 0.0;
  bool parameters_finite = true;  ///< this worker's, at its last tick
};

/// A member of the run, as this worker knows it.
struct MemberStatus {
  int rank = 0;
  int local_rank = 0;
  std::string host;
  bool live = true;               ///< neither gone nor left
  double heartbeat_age = 0.0;     ///< seconds since its last sign of life
  std::string telemetry_address;  ///< "tcp://10.0.0.7:29800"; empty: none
  std::string metrics_address;    ///< "10.0.0.7:29700"; empty: none, or not known yet
};

/// A finished meeting, handed to the observer in the communication thread.
struct MeetingEvent {
  double seconds = 0.0;  ///< since the start of the run, monotonic
  int peer = 0;
  std::uint64_t meetings = 0;  ///< this worker's count, this one included
  double distance = 0.0;       ///< ‖s_i − s_j‖ of the two snapshots, before the meeting
  double duration = 0.0;       ///< seconds
};

/// What finish() came to.
struct FinishResult {
  /// Whose parameters are in the average, ascending. The same with all who hold that average; not always this
  /// worker: one that came when the others had averaged gets what they have.
  std::vector<int> members;
  /// Ranks that died, whose parameters are not in the average, or that do not hold it.
  std::vector<int> lost;
  /// √(mean of ‖p_i − p̄‖²) over the members, of the positions p = x + d before the average and their own mean
  /// p̄; exact but for float32. (The average is another point: the mean of x + d + ½z.)
  double consensus_distance = 0.0;
  double distance_to_mean = 0.0;  ///< ‖p − p̄‖ of this worker
  bool lowest = false;            ///< this is the lowest surviving rank: the one that writes reports
  int exit_code = 0;              ///< 0; 3: finished, but workers were lost
};

}  // namespace duet
