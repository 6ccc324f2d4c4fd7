#include "run_pages.h"

#include "page_text.h"
#include "pages.h"

namespace duet::exporter {
namespace {

std::string heard(const RunView& run) {
  return std::to_string(run.workers.size()) + " of " + std::to_string(run.world_size) + " workers are heard";
}

}  // namespace

std::string run_landing_page(const RunView& run) {
  const std::string what = run.run_id.empty()
                               ? html_escaped(run.connection)
                               : "Run <code>" + html_escaped(run.run_id) + "</code>, " +
                                     html_escaped(run.algorithm) + " on a " + html_escaped(run.topology) +
                                     ", " + heard(run) + "; " + html_escaped(run.connection);
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Duet exporter</title></head>"
         "<body><h1>Duet exporter</h1><p>" +
         what +
         ".</p><ul>"
         "<li><a href=\"/metrics\">/metrics</a>: all workers', for Prometheus</li>"
         "<li><a href=\"/edges\">/edges</a>: every worker's neighbours, JSON</li>"
         "<li><a href=\"/sd\">/sd</a>: this exporter, with the run's id, for Prometheus' HTTP service "
         "discovery</li>"
         "<li><a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a></li>"
         "</ul></body></html>\n";
}

std::string run_edges_page(const RunView& run) {
  std::string page = "[";
  for (const WorkerView& worker : run.workers)
    page += (page.size() > 1 ? ",\n" : "\n") + edges_page(worker);
  return page + "]\n";
}

std::string run_discovery_page(const RunView& run, const std::string& address) {
  nlohmann::json groups = nlohmann::json::array();
  if (!run.run_id.empty()) groups.push_back({{"targets", {address}}, {"labels", {{"run_id", run.run_id}}}});
  return json_text(groups);
}

bool run_ready(const RunView& run) {
  return !run.workers.empty();
}

std::string run_ready_page(const RunView& run) {
  return run_ready(run) ? heard(run) + "\n" : "no run is heard: " + run.connection + "\n";
}

}  // namespace duet::exporter
