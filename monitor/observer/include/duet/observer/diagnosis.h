#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "duet/export.h"
#include "duet/observer/events.h"

/// What is wrong with a run right now, and with whom. Pure; thread-safe.
namespace duet::observer {

struct Snapshot;

enum class FindingKind : std::uint8_t {
  kGoneWorker,       ///< not heard for DiagnosisLimits::gone_after
  kStalledWorker,    ///< sends frames, makes no steps
  kStraggler,        ///< makes steps at a fraction of the others' pace
  kNonFinite,        ///< its parameters are not finite
  kDeadEdge,         ///< two live neighbours do not meet
  kLopsidedPairing,  ///< a worker meets one of its neighbours nearly always
  kSlowPairing,      ///< a worker meets much less often than it should
  kSplitGraph,       ///< the live workers fall into parts that cannot reach each other
};

struct Finding {
  FindingKind kind = FindingKind::kStalledWorker;
  Severity severity = Severity::kWarning;
  int rank = -1;  ///< whom it is about: never −1, also for a split graph (a worker of the smaller part)
  int peer = -1;  ///< the other end of the edge; −1: none
  double since = 0.0;  ///< Unix seconds; as well as it is known
  std::string text;    ///< one sentence: "worker 3 (node7) has made no step for 14 s"
  std::string advice;  ///< what to look at
};

/// When something is worth saying. Times in seconds.
struct DiagnosisLimits {
  /// No step for this long, and for `stalled_steps` times its own mean step, is a stall: a large model's step
  /// may take a minute.
  double stalled_after = 5.0;
  double stalled_steps = 10.0;
  /// Not heard for this long: gone. A little before the run itself gives a worker up (Options::gone_after).
  double gone_after = 4.0;
  /// Slower than this share of the median worker's steps per second: a straggler.
  double straggler_share = 0.6;
  /// Two live neighbours that would have met this often by now, at their target rate, and did not once.
  double dead_edge_meetings = 12.0;
  double dead_edge_least = 10.0;  ///< and at least this many seconds
  /// A neighbour that has more than this times its share of a worker's meetings: lopsided. Judged where the
  /// worker has at least two live neighbours and `lopsided_meetings` meetings in the window.
  double lopsided_factor = 3.0;
  double lopsided_share = 0.8;  ///< or more than this share, where its due is at most …
  double lopsided_due = 0.6;    ///< … this
  double lopsided_meetings = 40.0;
  /// Fewer than this share of the last minute's meetings that its target rate asks for, once that would have
  /// been so many.
  double slow_pairing_share = 0.5;
  double slow_pairing_meetings = 20.0;
};

/// All findings, the worst first, then by kind and rank; at most one for each kind, rank and peer. The states
/// of the workers (Worker::state) are decided before, by the same limits.
DUET_API std::vector<Finding> diagnose(const Snapshot& snapshot, const DiagnosisLimits& limits = {});

/// "stalled worker"; for tables and filters.
DUET_API const char* to_string(FindingKind kind);

}  // namespace duet::observer
