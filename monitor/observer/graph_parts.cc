#include "graph_parts.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace duet::observer {
namespace {

// Whoever is only expected may well be there: that it was not heard here tears nothing apart.
bool holds(const Worker& worker) {
  return worker.live() || worker.state == WorkerState::kExpected;
}

bool steps(const Worker* worker) {
  return worker != nullptr &&
         (worker->state == WorkerState::kRunning || worker->state == WorkerState::kStraggling);
}

}  // namespace

bool is_dead(const Snapshot& snapshot, const Edge& edge, const DiagnosisLimits& limits) {
  if (!edge.in_graph || !edge.target_per_second) return false;
  const Worker* const a = snapshot.worker(edge.a);
  const Worker* const b = snapshot.worker(edge.b);
  if (!steps(a) || !steps(b)) return false;
  // Silence counts from when both could have met: a worker that was stalled has not missed anything.
  const double since =
      std::max({edge.last_meeting.value_or(edge.since), edge.since, a->running_since.value_or(snapshot.time),
                b->running_since.value_or(snapshot.time)});
  const double silent = snapshot.time - since;
  return silent >= limits.dead_edge_least && silent * *edge.target_per_second >= limits.dead_edge_meetings;
}

std::vector<std::vector<int>> live_parts(const Snapshot& snapshot, const DiagnosisLimits& limits) {
  std::vector<int> parent(snapshot.workers.size());
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](int rank) {
    while (parent[static_cast<std::size_t>(rank)] != rank) {
      int& up = parent[static_cast<std::size_t>(rank)];
      up = parent[static_cast<std::size_t>(up)];
      rank = up;
    }
    return rank;
  };
  for (const Edge& edge : snapshot.edges) {
    const Worker* const a = snapshot.worker(edge.a);
    const Worker* const b = snapshot.worker(edge.b);
    if (!edge.in_graph || a == nullptr || b == nullptr || !holds(*a) || !holds(*b)) continue;
    if (is_dead(snapshot, edge, limits)) continue;
    const int one = root(edge.a), other = root(edge.b);
    parent[static_cast<std::size_t>(std::max(one, other))] = std::min(one, other);
  }
  std::map<int, std::vector<int>> by_root;
  for (const Worker& worker : snapshot.workers)
    if (worker.live()) by_root[root(worker.rank)].push_back(worker.rank);
  std::vector<std::vector<int>> parts;
  for (auto& [first, ranks] : by_root)
    parts.push_back(std::move(ranks));
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return parts;
}

}  // namespace duet::observer
