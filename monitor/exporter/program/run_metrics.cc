#include "run_metrics.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>

#include "family.h"
#include "worker_metrics.h"

namespace duet::exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void add_rank(Labels& labels, const std::string& rank) {
  const bool there =
      std::any_of(labels.begin(), labels.end(), [](const auto& label) { return label.name == "rank"; });
  if (!there) labels.push_back({"rank", rank});
}

}  // namespace

std::vector<MetricFamily> run_metrics(const RunView& run) {
  std::vector<MetricFamily> all;
  MetricFamily up = family("duet_worker_up",
                           "1: this worker's telemetry is heard; 0: it should be, and is not (it is gone, or "
                           "cannot be reached from the exporter).",
                           MetricType::Gauge);
  for (const WorkerView& worker : run.workers)
    add(up, 1.0, {{"rank", std::to_string(worker.rank)}});
  for (const int rank : run.silent)
    add(up, 0.0, {{"rank", std::to_string(rank)}});
  if (!up.metric.empty()) all.push_back(std::move(up));

  std::unordered_map<std::string, std::size_t> places;
  for (const WorkerView& worker : run.workers) {
    const std::string rank = std::to_string(worker.rank);
    for (MetricFamily& family : worker_metrics(worker)) {
      for (auto& metric : family.metric)
        add_rank(metric.label, rank);
      const auto [place, first] = places.try_emplace(family.name, all.size());
      if (first) {
        all.push_back(std::move(family));
        continue;
      }
      auto& metrics = all[place->second].metric;
      std::move(family.metric.begin(), family.metric.end(), std::back_inserter(metrics));
    }
  }
  return all;
}

}  // namespace duet::exporter
