#pragma once

#include <string>
#include <vector>

#include "duet/status.h"
#include "view.h"

/// What a worker serves besides its metrics. Pure.
namespace duet::exporter {

std::string landing_page(const WorkerView& view);
/// {"rank": …, "edges": [{"peer": …, "pairings": …, …}]}
std::string edges_page(const WorkerView& view);
/// For Prometheus' http_sd_config: every member whose metrics can be scraped, with its rank, run_id and host
/// as target labels. Lost members stay, so that their scrapes fail and somebody is told; those that left go.
std::string discovery_page(const std::string& run_id, const std::vector<MemberStatus>& members,
                           const std::vector<int>& lost);

}  // namespace duet::exporter
