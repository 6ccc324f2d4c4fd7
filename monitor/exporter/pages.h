#pragma once

#include <string>

#include "view.h"

/// What is served besides the metrics. Pure.
namespace duet::exporter {

std::string landing_page(const WorkerView& view);
/// {"rank": …, "edges": [{"peer": …, "meetings": …, …}]}
std::string edges_page(const WorkerView& view);
/// For Prometheus' http_sd_config: every member whose metrics can be scraped, with its rank, run_id and host
/// as target labels. Lost members stay, so that their scrapes fail and somebody is told; those that left go.
std::string discovery_page(const WorkerView& view);

}  // namespace duet::exporter
