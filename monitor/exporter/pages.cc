#include "pages.h"

#include <algorithm>

#include "page_text.h"
#include "worker_metrics.h"

namespace duet::exporter {

using nlohmann::json;

std::string landing_page(const WorkerView& view) {
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Duet worker " +
         std::to_string(view.rank) + "</title></head><body><h1>Duet worker " + std::to_string(view.rank) +
         " of " + std::to_string(view.world_size) + "</h1><p>Run <code>" + html_escaped(view.run_id) +
         "</code>, " + html_escaped(view.algorithm) + " on a " + html_escaped(view.topology) + ", " +
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
                     {"last_distance", edge.meetings > 0 ? json_real(edge.last_distance) : json(nullptr)},
                     {"last_pairing_timestamp_seconds",
                      edge.last_meeting > 0.0 ? json(edge.last_meeting) : json(nullptr)}});
  }
  return json_text({{"rank", view.rank},
                    {"run_id", view.run_id},
                    {"topology", view.topology},
                    {"epoch", view.statistics.epoch},
                    {"series_in_full", edges_in_full(view)},
                    {"edges", edges}});
}

std::string discovery_page(const std::string& run_id, const std::vector<MemberStatus>& members,
                           const std::vector<int>& lost) {
  json groups = json::array();
  for (const MemberStatus& member : members) {
    const bool is_lost = std::find(lost.begin(), lost.end(), member.rank) != lost.end();
    if (member.metrics_address.empty() || (!member.live && !is_lost)) continue;
    json labels = {{"rank", std::to_string(member.rank)}, {"run_id", run_id}};
    if (!member.host.empty()) labels["host"] = member.host;
    groups.push_back({{"targets", {member.metrics_address}}, {"labels", labels}});
  }
  return json_text(groups);
}

}  // namespace duet::exporter
