#include "worker/meeting_counts.h"

#include <cmath>
#include <numeric>

namespace duet::worker {

telemetry::FrameEdge& MeetingCounts::edge(int peer) {
  const auto [found, added] = edges_.try_emplace(peer);
  if (added) {
    found->second.peer = peer;
    found->second.in_graph = false;
  }
  return found->second;
}

void MeetingCounts::set_neighbours(const std::vector<Neighbour>& neighbours) {
  for (auto& [peer, edge] : edges_) {
    edge.target_rate = 0.0;
    edge.in_graph = false;
  }
  target_rate_ = 0.0;
  for (const Neighbour& neighbour : neighbours) {
    auto& one = edge(neighbour.worker);
    one.in_graph = true;
    one.target_rate = neighbour.rate;
    target_rate_ += neighbour.rate;
  }
}

void MeetingCounts::add_bytes(int peer, const exchange::MeetingResult& result) {
  auto& one = edge(peer);
  one.sent_bytes += result.bytes_sent;
  one.received_bytes += result.bytes_received;
}

void MeetingCounts::on_complete(int peer, const exchange::MeetingResult& result, double time,
                                double seconds) {
  add_bytes(peer, result);
  auto& one = edge(peer);
  ++one.meetings;
  ++meetings_;
  one.last_distance = std::sqrt(result.squared_distance);
  one.last_meeting = time;
  telemetry::record(pairing_duration_, seconds);
  events_.add({.time = time,
               .kind = telemetry::FrameEventKind::kMeeting,
               .rank = peer,
               .distance = one.last_distance,
               .seconds = seconds});
}

void MeetingCounts::on_failed(int peer, const exchange::MeetingResult& result, double time, double seconds) {
  add_bytes(peer, result);
  ++edge(peer).failures[static_cast<std::size_t>(result.reason)];
  if (result.rejected) {
    ++rejected_[static_cast<std::size_t>(result.refused_for)];
    events_.add({.time = time,
                 .kind = telemetry::FrameEventKind::kBlockRejected,
                 .reason = static_cast<std::uint8_t>(result.refused_for),
                 .rank = peer});
  }
  events_.add({.time = time,
               .kind = telemetry::FrameEventKind::kMeetingFailed,
               .reason = static_cast<std::uint8_t>(result.reason),
               .rank = peer,
               .seconds = seconds});
}

void MeetingCounts::on_connected(int peer) {
  if (connected_[peer]) ++reconnects_;
  connected_[peer] = true;
}

void MeetingCounts::copy_to(WorkerStatistics& statistics) const {
  statistics.meetings = meetings_;
  statistics.rejected_by_reason = rejected_;
  statistics.rejected_blocks = std::accumulate(rejected_.begin(), rejected_.end(), std::uint64_t{0});
  statistics.reconnects = reconnects_;
  statistics.target_rate = target_rate_;
  statistics.pairing_wait = pairing_wait_;
  statistics.pairing_duration = pairing_duration_;
  statistics.edges.clear();
  for (const auto& [peer, one] : edges_) {
    statistics.edges.push_back({.peer = peer,
                                .target_rate = one.target_rate,
                                .meetings = one.meetings,
                                .failures = one.all_failures(),
                                .bytes_sent = one.sent_bytes,
                                .bytes_received = one.received_bytes,
                                .last_distance = one.last_distance,
                                .last_meeting = one.last_meeting,
                                .in_graph = one.in_graph});
  }
}

void MeetingCounts::copy_to(telemetry::FrameState& state) const {
  state.meetings = meetings_;
  state.rejected_blocks = rejected_;
  state.reconnects = reconnects_;
  state.target_rate = target_rate_;
  state.pairing_wait = pairing_wait_;
  state.pairing_duration = pairing_duration_;
  state.edges.reserve(edges_.size());
  for (const auto& [peer, one] : edges_)
    state.edges.push_back(one);
}

}  // namespace duet::worker
