#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "meeting_log.h"

/// What came of a gossip run, from all workers' logs.
struct GossipResult {
  /// Meetings that a worker had taken part in, on average, when the squared consensus distance had fallen by
  /// the factor.
  std::optional<double> meetings_per_worker;
  std::optional<double> seconds;  ///< from the first meeting's end until then
  double start_distance = 0.0;    ///< consensus distance at the start, from sketches
  double end_distance = 0.0;
  /// How often each edge (a < b) was used until then (until the end if never).
  std::map<std::pair<int, int>, std::uint64_t> edges;
};

/// logs[i]: worker i's; each begins with an entry for the start (std::runtime_error when one has none). Pure.
GossipResult evaluate(const std::vector<MeetingLog>& logs, double reduction);
