#pragma once

#include <cstdint>
#include <string>

#include "duet/export.h"

/// What happened in a run, for a log that people read. Values; thread-safe on different objects.
namespace duet::observer {

enum class Severity : std::uint8_t { kInfo, kWarning, kError };

enum class EventKind : std::uint8_t {
  // ---- workers ----
  kWorkerJoined,      ///< first heard of
  kWorkerReturned,    ///< heard again after it was gone or stalled: the same incarnation
  kWorkerRestarted,   ///< the rank is there under another incarnation: a new member
  kWorkerGone,        ///< silent for longer than the run waits for it, or left out of the roster
  kWorkerFinished,    ///< said that it has finished
  kWorkerStalled,     ///< its frames come, its steps do not
  kWorkerStraggling,  ///< much slower than the others
  kWorkerRecovered,   ///< straggles no more
  kNonFinite,         ///< its parameters, or their distance to the mean, are not finite
  // ---- the run ----
  kEpochChanged,  ///< the members, and with them the graph, changed
  kGraphSplit,    ///< those present hang together no more …
  kGraphJoined,   ///< … or again
  kEdgeDead,      ///< two neighbours do not meet any more …
  kEdgeAlive,     ///< … or again
  kWorkerNotice,  ///< what a worker itself reported
  // ---- the observation ----
  kConnected,     ///< frames of a worker arrive for the first time
  kDisconnected,  ///< nobody is heard any more; reconnecting
  kRefused,       ///< what arrived is no frame that this version reads; text says why
  kOtherRun,      ///< a frame of another run: left out
  kLost,          ///< frames or events were lost on the way
  kClock,         ///< a worker's wall clock jumped, or is off
  kRecording,     ///< a recording began, ended, or failed
};

struct Event {
  std::uint64_t number = 0;  ///< counts from 1, without gaps, in the order in which they were noticed
  double time = 0.0;         ///< Unix seconds, on the run's clock (Snapshot::time)
  EventKind kind = EventKind::kWorkerNotice;
  Severity severity = Severity::kInfo;
  int rank = -1;  ///< whom it is about; −1: the run
  int peer = -1;  ///< the other end of an edge; −1: none
  /// How often by now. What repeats itself (a stranger that sends garbage 5 times a second) makes one event a
  /// minute: the first one, then one with the count.
  std::uint64_t count = 1;
  std::string text;  ///< one sentence that names the rank
};

/// "worker joined"; for tables and filters.
DUET_API const char* to_string(EventKind kind);
/// "info", "warning", "error".
DUET_API const char* to_string(Severity severity);

}  // namespace duet::observer
