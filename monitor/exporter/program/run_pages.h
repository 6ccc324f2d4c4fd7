#pragma once

#include <string>

#include "run_view.h"

/// What the exporter of a whole run serves besides its metrics. Pure.
namespace duet::exporter {

std::string run_landing_page(const RunView& run);
/// A list of what each worker's own /edges has (pages.h), by rank.
std::string run_edges_page(const RunView& run);
/// For Prometheus' http_sd_config: the exporter itself, at `address`, with run_id as a target label; empty
/// before a run was heard.
std::string run_discovery_page(const RunView& run, const std::string& address);
/// Whether a run is heard.
bool run_ready(const RunView& run);
/// The sentence to it: "15 of 16 workers are heard".
std::string run_ready_page(const RunView& run);

}  // namespace duet::exporter
