#include "duet/observer/snapshot.h"

#include <algorithm>
#include <array>

namespace duet::observer {

std::string short_text(const Incarnation& incarnation) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 32; shift -= 4)
    text.push_back(kDigits[incarnation.high >> shift & 0xF]);
  return text;
}

const char* to_string(WorkerState state) {
  switch (state) {
    case WorkerState::kExpected:
      return "expected";
    case WorkerState::kRunning:
      return "running";
    case WorkerState::kStraggling:
      return "straggling";
    case WorkerState::kStalled:
      return "stalled";
    case WorkerState::kFinished:
      return "finished";
    case WorkerState::kGone:
      return "gone";
  }
  return "unknown";
}

const char* to_string(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "unknown";
}

const char* to_string(EventKind kind) {
  switch (kind) {
    case EventKind::kWorkerJoined:
      return "worker joined";
    case EventKind::kWorkerReturned:
      return "worker returned";
    case EventKind::kWorkerRestarted:
      return "worker restarted";
    case EventKind::kWorkerGone:
      return "worker gone";
    case EventKind::kWorkerFinished:
      return "worker finished";
    case EventKind::kWorkerStalled:
      return "worker stalled";
    case EventKind::kWorkerStraggling:
      return "worker straggling";
    case EventKind::kWorkerRecovered:
      return "worker recovered";
    case EventKind::kNonFinite:
      return "not finite";
    case EventKind::kEpochChanged:
      return "epoch changed";
    case EventKind::kGraphSplit:
      return "graph split";
    case EventKind::kGraphJoined:
      return "graph joined";
    case EventKind::kEdgeDead:
      return "edge dead";
    case EventKind::kEdgeAlive:
      return "edge alive";
    case EventKind::kWorkerNotice:
      return "notice";
    case EventKind::kConnected:
      return "connected";
    case EventKind::kDisconnected:
      return "disconnected";
    case EventKind::kRefused:
      return "refused";
    case EventKind::kOtherRun:
      return "other run";
    case EventKind::kLost:
      return "lost";
    case EventKind::kClock:
      return "clock";
    case EventKind::kRecording:
      return "recording";
  }
  return "unknown";
}

const char* to_string(FindingKind kind) {
  switch (kind) {
    case FindingKind::kGoneWorker:
      return "worker gone";
    case FindingKind::kStalledWorker:
      return "worker stalled";
    case FindingKind::kStraggler:
      return "straggler";
    case FindingKind::kNonFinite:
      return "not finite";
    case FindingKind::kDeadEdge:
      return "dead edge";
    case FindingKind::kLopsidedPairing:
      return "lopsided pairing";
    case FindingKind::kSlowPairing:
      return "slow pairing";
    case FindingKind::kSplitGraph:
      return "graph split";
  }
  return "unknown";
}

const Worker* Snapshot::worker(int rank) const {
  if (rank < 0 || rank >= static_cast<int>(workers.size())) return nullptr;
  return &workers[static_cast<std::size_t>(rank)];
}

const Edge* Snapshot::edge(int a, int b) const {
  const auto [low, high] = std::minmax(a, b);
  for (const Edge& edge : edges)
    if (edge.a == low && edge.b == high) return &edge;
  return nullptr;
}

}  // namespace duet::observer
