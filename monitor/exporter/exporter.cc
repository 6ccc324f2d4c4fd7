#include "duet/exporter/exporter.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "duet/log.h"
#include "duet/version.h"
#include "http_server.h"
#include "metrics_page.h"
#include "pages.h"
#include "view.h"
#include "worker_metrics.h"

namespace duet {
namespace {

using exporter::discovery_page;
using exporter::HttpServer;
using exporter::metrics_page;
using exporter::Reply;
using exporter::WorkerView;

/// What the worker has counted by now.
WorkerView view_of(const Worker& worker, int most_edges) {
  const Options& options = worker.options();
  WorkerView view;
  view.rank = worker.rank();
  view.world_size = worker.world_size();
  view.run_id = worker.run_id();
  view.version = DUET_VERSION_STRING;
  view.transport = worker.world_size() == 1 ? "none" : options.transport;
  view.topology = worker.topology().name();
  view.algorithm = options.algorithm;
  view.reports_meetings =
      worker.world_size() > 1 && algorithm_kind(options.algorithm) == AlgorithmKind::kMeeting;
  view.statistics = worker.statistics();
  const RunStatus status = worker.status();
  if (options.telemetry_interval > 0.0 && status.tick > 0) {
    view.tick = {.time = static_cast<double>(status.tick) * options.telemetry_interval,
                 .consensus_distance = status.consensus_distance,
                 .distance_to_mean = status.distance_to_mean};
  }
  view.most_edges = most_edges;
  return view;
}

/// By which address others reach what listens on `bind`: on all interfaces, by the one under which they know
/// the worker's telemetry, or its host.
std::string told_host(const Worker& worker, const std::string& bind) {
  if (bind != "0.0.0.0") return bind;
  const std::string telemetry = worker.telemetry_address();  // "tcp://10.0.0.7:29800"
  const std::size_t begin = telemetry.find("://");
  if (begin != std::string::npos) {
    std::string host = telemetry.substr(begin + 3, telemetry.rfind(':') - begin - 3);
    if (host != bind) return host;
  }
  for (const MemberStatus& member : worker.members())
    if (member.rank == worker.rank() && !member.host.empty()) return member.host;
  return bind;
}

}  // namespace

class Exporter::Impl {
 public:
  Impl(Worker& worker, const ExporterOptions& options) : worker_(worker), most_edges_(options.most_edges) {
    const std::map<std::string, HttpServer::Handler> pages = {
        {"/", [this] { return Reply::html(landing_page(view())); }},
        {"/metrics",
         [this] {
           return Reply{200, exporter::kMetricsType, metrics_page(worker_metrics(view()))};
         }},
        {"/edges", [this] { return Reply::json(edges_page(view())); }},
        {"/sd",
         [this] { return Reply::json(discovery_page(worker_.run_id(), worker_.members(), worker_.lost())); }},
        {"/healthz", [] { return Reply::text(200, "ok\n"); }},
        {"/readyz", [this] { return ready(); }},
    };
    int port = options.port;
    if (port < 0) {
      port = worker.options().metrics_port >= 0 ? worker.options().metrics_port : Exporter::kDefaultPort;
    }
    if (port > 0) port += worker.options().local_rank;
    server_ = listen(options.bind, port, pages);
    if (server_ == nullptr) return;
    const std::string port_text = ":" + std::to_string(server_->port());
    url_ = "http://" + options.bind + port_text;
    worker_.set_metrics_address(told_host(worker_, options.bind) + port_text);
    if (!edges_in_full(view())) {
      say(LogLevel::kInfo, "more than " + std::to_string(options.most_edges) +
                               " neighbours: their metrics are summed up under peer=\"all\" "
                               "(duet_edge_series 0)");
    }
  }

  ~Impl() {
    if (server_ != nullptr) worker_.set_metrics_address("");
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const std::string& url() const { return url_; }

 private:
  std::unique_ptr<HttpServer> listen(const std::string& bind, int port,
                                     const std::map<std::string, HttpServer::Handler>& pages) const {
    std::string problem;
    for (const int wanted : {port, 0}) {
      try {
        auto server = std::make_unique<HttpServer>(bind, wanted, pages);
        if (!problem.empty()) {
          std::string text = "metrics cannot be where they were asked for (" + problem;
          text.append("); they are at http://").append(bind).append(":");
          text.append(std::to_string(server->port())).append("/metrics instead");
          say(LogLevel::kWarning, text);
        }
        return server;
      } catch (const std::exception& error) {
        problem = error.what();
        if (wanted == 0) break;
      }
    }
    say(LogLevel::kWarning, "no metrics: " + problem + "; training goes on without");
    return nullptr;
  }

  void say(LogLevel level, const std::string& what) const {
    write_log(level, "rank " + std::to_string(worker_.rank()) + ": " + what);
  }

  WorkerView view() const { return view_of(worker_, most_edges_); }

  /// Ready: a member of the run.
  Reply ready() const {
    const auto members = worker_.members();
    const auto live =
        std::count_if(members.begin(), members.end(), [](const MemberStatus& member) { return member.live; });
    if (worker_.world_size() > 1 && live == 0) return Reply::text(503, "this worker is in no run\n");
    return Reply::text(
        200, std::to_string(live) + " of " + std::to_string(worker_.world_size()) + " workers are here\n");
  }

  Worker& worker_;
  const int most_edges_;
  std::string url_;
  /// Last: its threads use the rest.
  std::unique_ptr<HttpServer> server_;
};

Exporter::Exporter(Worker& worker, const ExporterOptions& options) {
  if (const std::string there = worker.metrics_address(); !there.empty()) {
    url_ = "http://" + there;
    return;
  }
  impl_ = std::make_unique<Impl>(worker, options);
  url_ = impl_->url();
}

Exporter::~Exporter() = default;

const std::string& Exporter::url() const {
  return url_;
}

}  // namespace duet

/// What libduet.so looks for when Options::metrics_port is set (worker/exporter_library.h).
extern "C" DUET_API void* duet_exporter_start(duet::Worker* worker) {
  try {
    return new duet::Exporter(*worker);
  } catch (...) {
    return nullptr;
  }
}
extern "C" DUET_API void duet_exporter_stop(void* exporter) {
  delete static_cast<duet::Exporter*>(exporter);
}
