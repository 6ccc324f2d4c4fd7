#include "command_line.h"

#include <CLI/CLI.hpp>
#include <string>

#include "duet/version.h"

namespace duet::exporter {
namespace {

constexpr const char* kDescription =
    "duet-exporter serves the metrics of all workers of a run to Prometheus, on one port. It is read-only, "
    "and "
    "costs the workers nothing: an exporter that is slow loses frames.";

constexpr const char* kFooter = R"(
EXAMPLES
  duet-exporter --connect node0:29800     any one worker's telemetry; the others are found through it
  curl http://127.0.0.1:29600/metrics     what Prometheus scrapes; / lists the other paths

ENVIRONMENT
  DUET_SECRET  the run's secret, where --secret-file is not given

EXIT STATUS
  0  ended by SIGINT or SIGTERM    2  wrong options, no such file, a port or address that cannot be had,
     no memory

See docs/monitoring.md.)";

}  // namespace

std::optional<CommandLine> read_command_line(int argc, char** argv, int& exit_code) {
  CommandLine options;
  std::string secret_file;
  CLI::App app(kDescription, "duet-exporter");
  app.footer(kFooter);
  app.set_version_flag("--version", DUET_VERSION_STRING);
  app.add_option("--connect", options.live.address,
                 "telemetry address of any one worker, port 29800 unless given")
      ->type_name("HOST[:PORT]")
      ->required();
  app.add_option("--port", options.port, "to serve on; 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--bind", options.bind,
                 "IPv4 address or host name to serve on; whoever can connect can read, so anything but "
                 "loopback is for a network that you trust")
      ->capture_default_str();
  app.add_option("--secret-file", secret_file, "the run's secret is this file's first line")
      ->type_name("FILE");
  app.add_option("--most-edges", options.view.most_edges,
                 "neighbours of a worker that have time series of their own; more are summed up")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--forget", options.view.forget,
                 "seconds after which a worker that is gone has no duet_worker_up any more")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  options.live.secret = observer::read_secret(secret_file);
  return options;
}

}  // namespace duet::exporter
