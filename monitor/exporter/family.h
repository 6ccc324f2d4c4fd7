#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <utility>
#include <vector>

#include "duet/status.h"

/// The few ways in which samples are put together.
namespace duet::exporter {

using Labels = std::vector<prometheus::ClientMetric::Label>;

inline prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type) {
  prometheus::MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

inline void add(prometheus::MetricFamily& to, double value, Labels labels = {}) {
  auto& metric = to.metric.emplace_back();
  metric.label = std::move(labels);
  if (to.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

inline void add(prometheus::MetricFamily& to, const DurationHistogram& histogram) {
  auto& into = to.metric.emplace_back().histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < DurationHistogram::kBounds.size(); ++i) {
    cumulative += histogram.counts[i];
    into.bucket.push_back({cumulative, DurationHistogram::kBounds[i]});
  }
  // The serializer adds +Inf from this.
  into.sample_count = histogram.count();
  into.sample_sum = histogram.sum;
}

inline prometheus::MetricFamily counter(std::string name, std::string help, double value) {
  auto made = family(std::move(name), std::move(help), prometheus::MetricType::Counter);
  add(made, value);
  return made;
}

inline prometheus::MetricFamily gauge(std::string name, std::string help, double value) {
  auto made = family(std::move(name), std::move(help), prometheus::MetricType::Gauge);
  add(made, value);
  return made;
}

inline prometheus::MetricFamily histogram(std::string name, std::string help,
                                          const DurationHistogram& durations) {
  auto made = family(std::move(name), std::move(help), prometheus::MetricType::Histogram);
  add(made, durations);
  return made;
}

}  // namespace duet::exporter
