#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "duet/options.h"
#include "duet/status.h"
#include "score.h"

namespace samples {

/// What one worker tells about itself at the end.
struct WorkerReport {
  int rank = 0;
  std::uint64_t steps = 0;
  std::uint64_t samples = 0;
  std::map<int, std::uint64_t> meetings;  ///< by peer
  double wait_seconds = 0.0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  double distance_to_mean = 0.0;  ///< before the final average
  double test_accuracy = 0.0;     ///< of its own model, before the final average

  static WorkerReport from(const duet::WorkerStatistics& statistics, double distance_to_mean,
                           double test_accuracy);
};

/// A worker's report as a text, for Worker::gather(), and back. The latter throws std::exception.
std::string to_text(const WorkerReport& report);
WorkerReport worker_report_from(const std::string& text);

struct TracePoint {
  double seconds = 0.0;
  std::uint64_t steps = 0;  ///< of all workers
  double loss = 0.0;
  double consensus_distance = 0.0;
};

struct RunReport {
  std::string run_id;
  duet::Options options;  ///< algorithm, graph, transport, clock, rate, seed, world_size
  Score test;             ///< of the averaged model
  double wall_seconds = 0.0;
  duet::FinishResult result;
  duet::RunStatus status;  ///< the last; counts workers that were lost as far as they were heard
  std::vector<WorkerReport> workers;
  std::vector<TracePoint> trace;
};

/// The report as JSON, schema 1: docs/embedding.md lists the keys. What is not known is null.
std::string to_json(const RunReport& report);

}  // namespace samples
