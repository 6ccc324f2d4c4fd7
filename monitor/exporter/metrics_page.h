#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace duet::exporter {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// These, and process_* of the process that serves them, in Prometheus' text format.
std::string metrics_page(std::vector<prometheus::MetricFamily> families);

}  // namespace duet::exporter
