#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "duet/observer/snapshot.h"
#include "rate_window.h"
#include "telemetry/frame.h"

namespace duet::observer {

/// The edges of a run, from what both of their ends count. Writes Snapshot::edges, which it is handed at
/// every call, and appends to it only: indices stay. Pure.
class EdgeTable {
 public:
  /// Beyond, a rank is not believed: it is what a stranger claims.
  static constexpr int kMostWorkers = 4096;

  explicit EdgeTable(double rate_window) : rate_window_(rate_window) {}

  /// The graph as it is now. Returns whether an edge was added, entered or left it, or has another rate.
  bool set_graph(double now, const std::vector<telemetry::GraphEdge>& graph, std::vector<Edge>& edges);
  /// What `rank` counts about a peer. Returns the edge's index; nullopt where the edge is not in the graph
  /// and never was, and nothing happened on it.
  std::optional<std::size_t> count(double now, int rank, const PeerCounters& peer, std::vector<Edge>& edges);
  /// What a rank counts from now on begins at 0.
  void restart(int rank);
  void clear();

 private:
  // Of the whole run; a complete graph of 1,024 workers has 523,776.
  static constexpr std::size_t kMostEdges = 600'000;
  static constexpr double kLongWindow = 60.0;

  struct End {
    std::uint64_t former = 0;  ///< meetings of lives that are over
    std::uint64_t meetings = 0;
    std::uint64_t former_failures = 0;
    std::uint64_t failures = 0;
  };
  struct Track {
    int lower = -1;
    std::array<End, 2> ends;  ///< of the lower and the higher rank
    RateWindow window;
    RateWindow long_window;
  };

  static std::uint64_t key(int a, int b) {
    return static_cast<std::uint64_t>(a) << 32 | static_cast<std::uint32_t>(b);
  }
  /// nullopt: there are too many.
  std::optional<std::size_t> at(double now, int a, int b, std::vector<Edge>& edges);

  double rate_window_;
  std::unordered_map<std::uint64_t, std::size_t> index_;
  std::vector<Track> tracks_;                             ///< as Snapshot::edges
  std::unordered_map<int, std::vector<std::size_t>> of_;  ///< by rank
};

}  // namespace duet::observer
