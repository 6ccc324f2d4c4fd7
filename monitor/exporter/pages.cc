#include "pages.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "worker_metrics.h"

namespace duet::exporter {
namespace {

using nlohmann::json;

/// Run ids and host names are whatever somebody chose.
std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

/// JSON has no NaN.
json real(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

/// Whatever bytes a name holds: what is no UTF-8 is replaced, not thrown at.
std::string text(const json& page) {
  return page.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string landing_page(const WorkerView& view) {
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Duet worker " +
         std::to_string(view.rank) + "</title></head><body><h1>Duet worker " + std::to_string(view.rank) +
         " of " + std::to_string(view.world_size) + "</h1><p>Run <code>" + escaped(view.run_id) +
         "</code>, " + escaped(view.algorithm) + " on a " + escaped(view.topology) + ", " +
         std::to_string(view.statistics.steps) + " steps, " + std::to_string(view.statistics.meetings) +
         " meetings.</p><ul>"
         "<li><a href=\"/metrics\">/metrics</a>: for Prometheus</li>"
         "<li><a href=\"/edges\">/edges</a>: this worker's neighbours, JSON</li>"
         "<li><a href=\"/sd\">/sd</a>: all workers of the run, for Prometheus' HTTP service discovery</li>"
         "<li><a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a></li>"
         "</ul></body></html>\n";
}

std::string edges_page(const WorkerView& view) {
  json edges = json::array();
  for (const EdgeStatistics& edge : view.statistics.edges) {
    edges.push_back({{"peer", edge.peer},
                     {"in_graph", edge.in_graph},
                     {"target_rate_per_step", edge.target_rate},
                     {"pairings", edge.meetings},
                     {"failures", edge.failures},
                     {"sent_bytes", edge.bytes_sent},
                     {"received_bytes", edge.bytes_received},
                     {"last_distance", edge.meetings > 0 ? real(edge.last_distance) : json(nullptr)},
                     {"last_pairing_timestamp_seconds",
                      edge.last_meeting > 0.0 ? json(edge.last_meeting) : json(nullptr)}});
  }
  return text({{"rank", view.rank},
               {"run_id", view.run_id},
               {"topology", view.topology},
               {"epoch", view.statistics.epoch},
               {"series_in_full", edges_in_full(view)},
               {"edges", edges}});
}

std::string discovery_page(const WorkerView& view) {
  json groups = json::array();
  for (const MemberStatus& member : view.members) {
    const bool lost = std::find(view.lost.begin(), view.lost.end(), member.rank) != view.lost.end();
    if (member.metrics_address.empty() || (!member.live && !lost)) continue;
    json labels = {{"rank", std::to_string(member.rank)}, {"run_id", view.run_id}};
    if (!member.host.empty()) labels["host"] = member.host;
    groups.push_back({{"targets", {member.metrics_address}}, {"labels", labels}});
  }
  return text(groups);
}

}  // namespace duet::exporter
