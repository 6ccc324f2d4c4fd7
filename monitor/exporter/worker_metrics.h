#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "view.h"

/// A worker's metrics, as docs/monitoring.md has them. Pure: what is here is made anew at every scrape from
/// copies, so that training never touches a label or a lock of Prometheus'.
namespace duet::exporter {

std::vector<prometheus::MetricFamily> worker_metrics(const WorkerView& view);
/// process_*: of this process, as Prometheus reserves the names.
std::vector<prometheus::MetricFamily> process_metrics();
/// Whether the edges have series of their own.
bool edges_in_full(const WorkerView& view);

}  // namespace duet::exporter
