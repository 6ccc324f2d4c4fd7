#pragma once

#include <memory>
#include <string>

#include "duet/export.h"
#include "duet/worker.h"

/// Prometheus metrics of a worker over HTTP (docs/monitoring.md). A library of its own, duet::exporter
/// (libduet_exporter.so): libduet itself knows nothing of Prometheus.
namespace duet {

struct ExporterOptions {
  /// This plus the worker's local_rank is the port; where it is taken: a warning, and another one. 0: any
  /// free port. -1: Options::metrics_port, or 29700 where that is off.
  int port = -1;
  /// IPv4 address or host name to listen on. Whoever can connect can read: anything but loopback is for a
  /// network that you trust; TLS and passwords are a reverse proxy's job (docs/monitoring.md). Others are
  /// told the same, or for 0.0.0.0 the host under which they know the worker's telemetry.
  std::string bind = "127.0.0.1";
  /// Up to so many neighbours have time series of their own; with more, an edge's are summed up under
  /// peer="all", so that a complete graph of a thousand does not make millions of series. 0: always summed
  /// up.
  int most_edges = 32;
};

/// Serves a worker's metrics while it lives: one line after the Worker,
///   duet::Exporter exporter(worker);
/// Paths: / (what there is), /metrics, /healthz, /readyz, /edges (JSON), /sd (all workers of the run, for
/// Prometheus' HTTP service discovery). Threads of its own read copies of the counts; the trainer's thread
/// never notices. A worker that exports already (Options::metrics_port) goes on with that one, and this
/// object only tells its address.
class DUET_API Exporter {
 public:
  /// Never throws for a port or address that cannot be had: that is a warning, and url() is empty.
  explicit Exporter(Worker& worker, const ExporterOptions& options = {});
  ~Exporter();  ///< before the Worker's; takes at most about a second
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  /// "http://127.0.0.1:29700"; empty: nowhere.
  const std::string& url() const;

  static constexpr int kDefaultPort = 29700;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  std::string url_;
};

}  // namespace duet
