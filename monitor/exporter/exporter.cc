#include "duet/exporter/exporter.h"

#include <prometheus/collectable.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <utility>

#include "duet/log.h"
#include "http_server.h"
#include "pages.h"
#include "view.h"
#include "worker_metrics.h"

namespace duet {
namespace {

using exporter::HttpServer;
using exporter::Reply;
using exporter::WorkerView;

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// Reads the worker's counts when somebody scrapes.
class WorkerCollector : public prometheus::Collectable {
 public:
  WorkerCollector(const Worker& worker, int most_edges) : worker_(worker), most_edges_(most_edges) {}

  WorkerView view() const {
    const Options& options = worker_.options();
    WorkerView view;
    view.rank = worker_.rank();
    view.world_size = worker_.world_size();
    view.run_id = worker_.run_id();
    view.transport = worker_.world_size() == 1 ? "none" : options.transport;
    view.topology = worker_.topology().name();
    view.algorithm = options.algorithm;
    view.reports_meetings =
        worker_.world_size() > 1 && algorithm_kind(options.algorithm) == AlgorithmKind::kMeeting;
    view.statistics = worker_.statistics();
    view.status = worker_.status();
    view.tick_interval = options.telemetry_interval;
    view.members = worker_.members();
    view.lost = worker_.lost();
    view.most_edges = most_edges_;
    return view;
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    auto all = exporter::worker_metrics(view());
    for (auto& family : exporter::process_metrics())
      all.push_back(std::move(family));
    return all;
  }

 private:
  const Worker& worker_;
  const int most_edges_;
};

Reply metrics(const WorkerCollector& collector) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, collector.Collect());
  return {200, kMetricsType, text.str()};
}

}  // namespace

class Exporter::Impl {
 public:
  Impl(Worker& worker, const ExporterOptions& options)
      : worker_(worker), collector_(worker, options.most_edges) {
    const std::map<std::string, HttpServer::Handler> pages = {
        {"/",
         [this] {
           return Reply{200, "text/html; charset=utf-8", landing_page(collector_.view())};
         }},
        {"/metrics", [this] { return metrics(collector_); }},
        {"/edges",
         [this] {
           return Reply{200, "application/json", edges_page(collector_.view())};
         }},
        {"/sd",
         [this] {
           return Reply{200, "application/json", discovery_page(collector_.view())};
         }},
        {"/healthz",
         [] {
           return Reply{200, "text/plain; charset=utf-8", "ok\n"};
         }},
        {"/readyz", [this] { return ready(); }},
    };
    int port = options.port;
    if (port < 0) {
      port = worker.options().metrics_port >= 0 ? worker.options().metrics_port : Exporter::kDefaultPort;
    }
    if (port > 0) port += worker.options().local_rank;
    server_ = listen(options.bind, port, pages);
    if (server_ == nullptr) return;
    const std::string address = options.bind + ":" + std::to_string(server_->port());
    url_ = "http://" + address;
    worker_.set_metrics_address(address);
    if (collector_.view().statistics.edges.size() > static_cast<std::size_t>(options.most_edges)) {
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
          say(LogLevel::kWarning, "metrics cannot be where they were asked for (" + problem +
                                      "); they are at http://" + bind + ":" + std::to_string(server->port()) +
                                      "/metrics instead");
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

  /// Ready: in the run, with a heartbeat of one's own that others can hear.
  Reply ready() const {
    const auto members = worker_.members();
    const auto live =
        std::count_if(members.begin(), members.end(), [](const MemberStatus& member) { return member.live; });
    if (worker_.world_size() > 1 && live == 0)
      return {503, "text/plain; charset=utf-8", "this worker is in no run\n"};
    return {200, "text/plain; charset=utf-8",
            std::to_string(live) + " of " + std::to_string(worker_.world_size()) + " workers are here\n"};
  }

  Worker& worker_;
  WorkerCollector collector_;
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
