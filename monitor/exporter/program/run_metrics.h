#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "run_view.h"

namespace duet::exporter {

/// The metrics of all workers that are heard: those of worker_metrics.h, every series with its worker's
/// rank, and duet_worker_up, which those that are silent have alone. Pure.
std::vector<prometheus::MetricFamily> run_metrics(const RunView& run);

}  // namespace duet::exporter
