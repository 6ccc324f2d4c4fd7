#include "report.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace samples {
namespace {

using nlohmann::ordered_json;

ordered_json meetings_json(const WorkerReport& worker) {
  ordered_json meetings = ordered_json::object();
  for (const auto& [peer, count] : worker.meetings)
    meetings[std::to_string(peer)] = count;
  return meetings;
}

// Each meeting once: both sides counted it, unless one of them was lost.
std::uint64_t meetings_of_all(const std::vector<WorkerReport>& workers) {
  std::map<std::pair<int, int>, std::uint64_t> edges;
  for (const auto& worker : workers) {
    for (const auto& [peer, count] : worker.meetings) {
      auto& most = edges[std::minmax(worker.rank, peer)];
      most = std::max(most, count);
    }
  }
  std::uint64_t total = 0;
  for (const auto& [edge, count] : edges)
    total += count;
  return total;
}

}  // namespace

WorkerReport WorkerReport::from(const duet::WorkerStatistics& statistics, double distance_to_mean,
                                double test_accuracy) {
  WorkerReport report;
  report.rank = statistics.rank;
  report.steps = statistics.steps;
  report.samples = statistics.samples;
  report.wait_seconds = statistics.wait_seconds;
  for (const auto& edge : statistics.edges) {
    report.meetings[edge.peer] = edge.meetings;
    report.bytes_sent += edge.bytes_sent;
    report.bytes_received += edge.bytes_received;
  }
  report.distance_to_mean = distance_to_mean;
  report.test_accuracy = test_accuracy;
  return report;
}

std::string to_text(const WorkerReport& report) {
  return ordered_json{{"rank", report.rank},
                      {"steps", report.steps},
                      {"samples", report.samples},
                      {"meetings", meetings_json(report)},
                      {"wait_seconds", report.wait_seconds},
                      {"bytes_sent", report.bytes_sent},
                      {"bytes_received", report.bytes_received},
                      {"distance_to_mean", report.distance_to_mean},
                      {"test_accuracy", report.test_accuracy}}
      .dump();
}

WorkerReport worker_report_from(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  const auto number = [&](const char* key) {
    return json.at(key).is_null() ? std::numeric_limits<double>::quiet_NaN() : json.at(key).get<double>();
  };
  WorkerReport report;
  report.rank = json.at("rank");
  report.steps = json.at("steps");
  report.samples = json.at("samples");
  for (const auto& [peer, count] : json.at("meetings").items())
    report.meetings[std::stoi(peer)] = count;
  report.wait_seconds = number("wait_seconds");
  report.bytes_sent = json.at("bytes_sent");
  report.bytes_received = json.at("bytes_received");
  report.distance_to_mean = number("distance_to_mean");
  report.test_accuracy = number("test_accuracy");
  return report;
}

std::string to_json(const RunReport& report) {
  std::uint64_t steps = 0, samples = 0;
  double accuracies = 0.0;
  ordered_json workers = ordered_json::array();
  for (const auto& worker : report.workers) {
    steps += worker.steps;
    samples += worker.samples;
    accuracies += worker.test_accuracy;
    workers.push_back({{"rank", worker.rank},
                       {"steps", worker.steps},
                       {"meetings", meetings_json(worker)},
                       {"wait_seconds", worker.wait_seconds},
                       {"bytes_sent", worker.bytes_sent},
                       {"bytes_received", worker.bytes_received},
                       {"distance_to_mean", worker.distance_to_mean}});
  }
  ordered_json trace = ordered_json::array();
  for (const auto& point : report.trace) {
    trace.push_back({{"seconds", point.seconds},
                     {"steps", point.steps},
                     {"loss", point.loss},
                     {"consensus_distance", point.consensus_distance}});
  }
  const duet::Options& options = report.options;
  const ordered_json json = {
      {"schema", 1},
      {"run_id", report.run_id},
      {"algorithm", options.algorithm},
      {"graph", options.graph},
      {"world_size", options.world_size},
      {"transport", options.transport},
      {"clock", options.clock},
      {"rate", options.rate},
      {"seed", options.seed},
      {"final",
       {{"test_accuracy", report.test.accuracy},
        {"test_loss", report.test.loss},
        {"mean_worker_test_accuracy",
         report.workers.empty() ? ordered_json()
                                : ordered_json(accuracies / static_cast<double>(report.workers.size()))},
        {"consensus_distance", report.result.consensus_distance},
        {"wall_seconds", report.wall_seconds},
        {"steps", std::max(steps, report.status.steps)},
        {"samples", std::max(samples, report.status.samples)},
        {"meetings", meetings_of_all(report.workers)},
        {"members", report.result.members},
        {"lost", report.result.lost}}},
      {"workers", std::move(workers)},
      {"trace", std::move(trace)}};
  return json.dump(1) + "\n";
}

}  // namespace samples
