#include "duet/observer/diagnosis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>
#include <utility>

#include "duet/observer/snapshot.h"
#include "graph_parts.h"

namespace duet::observer {
namespace {

// "14 s", "3 min", "2 h": how long something has lasted.
std::string span(double seconds) {
  const double whole = std::max(0.0, seconds);
  if (whole < 120.0) return std::to_string(std::lround(whole)) + " s";
  if (whole < 7200.0) return std::to_string(std::lround(whole / 60.0)) + " min";
  return std::to_string(std::lround(whole / 3600.0)) + " h";
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", value);
  return text;
}

std::string percent(double share) {
  return std::to_string(std::lround(100.0 * share)) + " %";
}

std::string name(const Worker& worker) {
  return "worker " + std::to_string(worker.rank) + (worker.host.empty() ? "" : " (" + worker.host + ")");
}

// "3", "3 and 4", "3, 4, 5 and 9 more"
std::string list(const std::vector<int>& ranks) {
  constexpr std::size_t kNamed = 6;
  std::string text;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (i == kNamed && ranks.size() > kNamed + 1)
      return text + " and " + std::to_string(ranks.size() - kNamed) + " more";
    if (i > 0) text += i + 1 == ranks.size() ? " and " : ", ";
    text += std::to_string(ranks[i]);
  }
  return text;
}

class Doctor {
 public:
  Doctor(const Snapshot& snapshot, const DiagnosisLimits& limits) : snapshot_(snapshot), limits_(limits) {}

  std::vector<Finding> examine() {
    for (const Worker& worker : snapshot_.workers)
      look_at(worker);
    look_at_parts();
    look_at_edges();
    look_at_meetings();
    std::sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return std::tuple(b.severity, a.kind, a.rank, a.peer) < std::tuple(a.severity, b.kind, b.rank, b.peer);
    });
    return std::move(findings_);
  }

 private:
  void look_at(const Worker& worker) {
    const double now = snapshot_.time;
    if (!worker.finite) {
      add({FindingKind::kNonFinite, Severity::kError, worker.rank, -1, worker.not_finite_since.value_or(now),
           name(worker) + " has parameters that are not finite",
           "its blocks are refused by the others; look at its loss and learning rate, and restart it"});
    }
    switch (worker.state) {
      case WorkerState::kGone:
        add({FindingKind::kGoneWorker, Severity::kError, worker.rank, -1, worker.state_since,
             name(worker) + " has not been heard for " +
                 span(now - worker.last_heard.value_or(worker.state_since)),
             "the others train on without it; see its log, or whether its host is still there"});
        break;
      case WorkerState::kStalled:
        add({FindingKind::kStalledWorker, Severity::kError, worker.rank, -1, worker.state_since,
             name(worker) + " has made no step for " +
                 span(now - worker.last_step.value_or(worker.first_heard.value_or(worker.state_since))),
             "it answers, but its trainer does not move: data loading, a full disk, a debugger?"});
        break;
      case WorkerState::kStraggling: {
        std::string text = name(worker) + " makes " + number(worker.steps_per_second.value_or(0.0)) +
                           " steps/s, the median is " +
                           number(snapshot_.median_steps_per_second.value_or(0.0));
        add({FindingKind::kStraggler, Severity::kWarning, worker.rank, -1, worker.state_since,
             std::move(text),
             "it slows nobody down, but meets less; look at its host's load, clock and temperature"});
        break;
      }
      default:
        break;
    }
  }

  void look_at_parts() {
    const std::vector<std::vector<int>> parts = live_parts(snapshot_, limits_);
    std::size_t live = 0;
    for (const std::vector<int>& ranks : parts)
      live += ranks.size();
    for (std::size_t part = 1; part < parts.size(); ++part) {
      const std::vector<int>& ranks = parts[part];
      add({FindingKind::kSplitGraph, Severity::kError, ranks.front(), -1,
           snapshot_.split_since.value_or(snapshot_.time),
           std::string(ranks.size() == 1 ? "worker " : "workers ") + list(ranks) +
               (ranks.size() == 1 ? " does" : " do") + " not reach the other " +
               std::to_string(live - ranks.size()) + " any more",
           "the parts drift apart; look at the network between them"});
    }
  }

  void look_at_edges() {
    for (const Edge& edge : snapshot_.edges) {
      if (!is_dead(snapshot_, edge, limits_)) continue;
      const double since = std::max(edge.last_meeting.value_or(edge.since), edge.since);
      add({FindingKind::kDeadEdge, Severity::kWarning, edge.a, edge.b, since,
           "workers " + std::to_string(edge.a) + " and " + std::to_string(edge.b) +
               " are neighbours and have not met for " + span(snapshot_.time - since),
           "look at the network between their hosts, and at both logs"});
    }
  }

  // Who meets whom, over the last minute.
  void look_at_meetings() {
    std::map<int, std::vector<const Edge*>> edges_of;
    for (const Edge& edge : snapshot_.edges) {
      const Worker* const a = snapshot_.worker(edge.a);
      const Worker* const b = snapshot_.worker(edge.b);
      if (!edge.in_graph || a == nullptr || b == nullptr || !a->live() || !b->live()) continue;
      edges_of[edge.a].push_back(&edge);
      edges_of[edge.b].push_back(&edge);
    }
    for (const auto& [rank, edges] : edges_of) {
      const Worker& worker = *snapshot_.worker(rank);
      lopsided(worker, edges);
      slow(worker, edges);
    }
  }

  void lopsided(const Worker& worker, const std::vector<const Edge*>& edges) {
    double meetings = 0.0, rates = 0.0;
    for (const Edge* edge : edges) {
      meetings += edge->recent_meetings;
      rates += edge->target_rate;
    }
    if (edges.size() < 2 || meetings < limits_.lopsided_meetings || !(rates > 0.0)) return;
    for (const Edge* edge : edges) {
      const double share = edge->recent_meetings / meetings;
      const double due = edge->target_rate / rates;
      const bool too_much = share > limits_.lopsided_factor * due ||
                            (share > limits_.lopsided_share && due <= limits_.lopsided_due);
      if (!too_much) continue;
      const int peer = edge->a == worker.rank ? edge->b : edge->a;
      add({FindingKind::kLopsidedPairing, Severity::kWarning, worker.rank, peer, snapshot_.time,
           name(worker) + " has " + percent(share) + " of its meetings with worker " + std::to_string(peer) +
               ", due are " + percent(due),
           "its other neighbours are busy, slow or out of reach"});
      return;
    }
  }

  void slow(const Worker& worker, const std::vector<const Edge*>& edges) {
    if (worker.state != WorkerState::kRunning && worker.state != WorkerState::kStraggling) return;
    if (!worker.running_since) return;
    double meetings = 0.0, expected = 0.0, seconds = 0.0;
    for (const Edge* edge : edges) {
      // Before it stepped there was nothing to miss.
      if (edge->recent_seconds > snapshot_.time - *worker.running_since + 1.0) return;
      meetings += edge->recent_meetings;
      // By the pace of that minute: who has just stopped straggling has not missed what it would make now.
      const double pace = std::min(snapshot_.worker(edge->a)->recent_steps_per_second.value_or(0.0),
                                   snapshot_.worker(edge->b)->recent_steps_per_second.value_or(0.0));
      expected += edge->target_rate * pace * edge->recent_seconds;
      seconds = std::max(seconds, edge->recent_seconds);
    }
    // A few meetings more or less are chance.
    if (expected < limits_.slow_pairing_meetings || !(seconds > 0.0)) return;
    if (meetings >= limits_.slow_pairing_share * expected) return;
    add({FindingKind::kSlowPairing, Severity::kWarning, worker.rank, -1, snapshot_.time - seconds,
         name(worker) + " meets " + number(meetings / seconds) + " times a second, its target is " +
             number(expected / seconds),
         "meetings take too long for this rate, or its neighbours are not free: a faster transport, a lower "
         "rate"});
  }

  void add(Finding finding) { findings_.push_back(std::move(finding)); }

  const Snapshot& snapshot_;
  const DiagnosisLimits& limits_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> diagnose(const Snapshot& snapshot, const DiagnosisLimits& limits) {
  return Doctor(snapshot, limits).examine();
}

}  // namespace duet::observer
