#include "edge_table.h"

#include <algorithm>

namespace duet::observer {

std::optional<std::size_t> EdgeTable::at(double now, int a, int b, std::vector<Edge>& edges) {
  const auto [low, high] = std::minmax(a, b);
  const auto found = index_.find(key(low, high));
  if (found != index_.end()) return found->second;
  if (edges.size() >= kMostEdges) return std::nullopt;
  const std::size_t place = edges.size();
  index_.emplace(key(low, high), place);
  of_[low].push_back(place);
  of_[high].push_back(place);
  Edge edge;
  edge.a = low;
  edge.b = high;
  edge.in_graph = false;
  edge.since = now;
  edges.push_back(edge);
  tracks_.push_back(
      {.lower = low, .ends = {}, .window = RateWindow(rate_window_), .long_window = RateWindow(kLongWindow)});
  return place;
}

bool EdgeTable::set_graph(double now, const std::vector<telemetry::GraphEdge>& graph,
                          std::vector<Edge>& edges) {
  bool changed = false;
  std::vector<bool> present(edges.size(), false);
  for (const telemetry::GraphEdge& each : graph) {
    if (each.a == each.b || std::max(each.a, each.b) >= kMostWorkers) continue;
    const std::size_t before = edges.size();
    const std::optional<std::size_t> place = at(now, each.a, each.b, edges);
    if (!place) continue;
    if (*place >= present.size()) present.resize(edges.size(), false);
    present[*place] = true;
    Edge& edge = edges[*place];
    changed = changed || edges.size() != before || !edge.in_graph || edge.target_rate != each.rate;
    if (!edge.in_graph) edge.since = now;
    edge.in_graph = true;
    edge.target_rate = each.rate;
  }
  for (std::size_t place = 0; place < edges.size(); ++place) {
    if (present[place] || !edges[place].in_graph) continue;
    edges[place].in_graph = false;
    edges[place].target_rate = 0.0;
    changed = true;
  }
  return changed;
}

std::optional<std::size_t> EdgeTable::count(double now, int rank, const PeerCounters& peer,
                                            std::vector<Edge>& edges) {
  if (peer.rank == rank || peer.rank < 0 || peer.rank >= kMostWorkers) return std::nullopt;
  const auto found = index_.find(key(std::min(rank, peer.rank), std::max(rank, peer.rank)));
  if (found == index_.end() && peer.pairings == 0 && peer.pairing_failures == 0) return std::nullopt;
  const std::optional<std::size_t> place = at(now, rank, peer.rank, edges);
  if (!place) return std::nullopt;
  Edge& edge = edges[*place];
  Track& track = tracks_[*place];
  End& end = track.ends[rank == edge.a ? 0 : 1];
  end.meetings = peer.pairings;
  end.failures = peer.pairing_failures;
  // One end may be out of sight, or have been restarted: the other one knows.
  const auto total = [](const End& each) { return each.former + each.meetings; };
  edge.meetings = std::max({edge.meetings, total(track.ends[0]), total(track.ends[1])});
  edge.failures = std::max(track.ends[0].former_failures + track.ends[0].failures,
                           track.ends[1].former_failures + track.ends[1].failures);
  track.window.add(now, edge.meetings);
  track.long_window.add(now, edge.meetings);
  edge.meetings_per_second = track.window.rate();
  if (const auto increase = track.long_window.increase()) {
    edge.recent_meetings = increase->count;
    edge.recent_seconds = increase->seconds;
  }
  if (peer.last_pairing && (!edge.last_meeting || *peer.last_pairing > *edge.last_meeting)) {
    edge.last_meeting = peer.last_pairing;
    edge.last_distance = peer.last_distance;
  }
  return place;
}

void EdgeTable::restart(int rank) {
  const auto found = of_.find(rank);
  if (found == of_.end()) return;
  for (const std::size_t place : found->second) {
    Track& track = tracks_[place];
    End& end = track.ends[track.lower == rank ? 0 : 1];
    end.former += end.meetings;
    end.former_failures += end.failures;
    end.meetings = end.failures = 0;
  }
}

void EdgeTable::clear() {
  index_.clear();
  tracks_.clear();
  of_.clear();
}

}  // namespace duet::observer
