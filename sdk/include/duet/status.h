#pragma once

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

/// One edge as this worker sees it.
struct EdgeStatistics {
  int peer = 0;
  double target_rate = 0.0;  ///< λ_ij, per gradient step; 0: no edge of the present graph any more
  std::uint64_t meetings = 0;
  std::uint64_t failures = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  double last_distance = 0.0;  ///< ‖x_i − x_j‖ at the last meeting
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
