#include "evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace {

double squared_consensus_distance(const std::vector<const std::vector<float>*>& positions) {
  const std::size_t size = positions.front()->size();
  double total = 0.0;
  for (std::size_t k = 0; k < size; ++k) {
    double mean = 0.0;
    for (const auto* position : positions)
      mean += static_cast<double>((*position)[k]);
    mean /= static_cast<double>(positions.size());
    for (const auto* position : positions) {
      const double difference = static_cast<double>((*position)[k]) - mean;
      total += difference * difference;
    }
  }
  return total / static_cast<double>(positions.size());
}

}  // namespace

GossipResult evaluate(const std::vector<MeetingLog>& logs, double reduction) {
  struct Event {
    double seconds;
    std::size_t worker;
    const LogEntry* entry;
  };
  std::vector<Event> events;
  std::vector<const std::vector<float>*> positions;
  for (std::size_t worker = 0; worker < logs.size(); ++worker) {
    const auto& entries = logs[worker].entries;
    if (entries.empty())
      throw std::runtime_error("the log of worker " + std::to_string(worker) + " is empty");
    positions.push_back(&entries.front().sketch);
    for (std::size_t i = 1; i < entries.size(); ++i)
      events.push_back({entries[i].seconds, worker, &entries[i]});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.seconds < b.seconds; });

  GossipResult result;
  const double start = squared_consensus_distance(positions);
  double now = start;
  result.start_distance = std::sqrt(start);
  std::uint64_t ends = 0;
  std::map<std::pair<int, int>, std::uint64_t> edge_ends;
  for (const auto& event : events) {
    positions[event.worker] = &event.entry->sketch;
    ++ends;
    const int self = static_cast<int>(event.worker);
    ++edge_ends[std::minmax(self, event.entry->peer)];
    now = squared_consensus_distance(positions);
    if (now <= start / reduction) {
      result.meetings_per_worker = static_cast<double>(ends) / static_cast<double>(logs.size());
      result.seconds = event.seconds - events.front().seconds;
      break;
    }
  }
  result.end_distance = std::sqrt(now);
  // A meeting was written down at both ends; one whose second end is not in yet counts.
  for (const auto& [edge, count] : edge_ends)
    result.edges[edge] = (count + 1) / 2;
  return result;
}
