// duet-exporter: the metrics of a whole run on one port.
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <map>
#include <string>

#include "command_line.h"
#include "http_server.h"
#include "metrics_page.h"
#include "run_metrics.h"
#include "run_pages.h"
#include "run_watch.h"

namespace {

using duet::exporter::CommandLine;
using duet::exporter::HttpServer;
using duet::exporter::metrics_page;
using duet::exporter::Reply;
using duet::exporter::RunView;
using duet::exporter::RunWatch;

constexpr long kPollNanoseconds = 100'000'000;

/// SIGINT and SIGTERM wait until the main thread takes them; threads that are begun later inherit that.
sigset_t hold_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// Where others find what listens on `bind`.
std::string told_host(const std::string& bind) {
  if (bind != "0.0.0.0") return bind;
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return bind;
  return name.data();
}

void say(const std::string& text) {
  std::fprintf(stderr, "duet-exporter: %s\n", text.c_str());
}

std::map<std::string, HttpServer::Handler> pages(const RunWatch& watch, const std::string& host,
                                                 const std::atomic<int>& port) {
  return {
      {"/", [&watch] { return Reply::html(run_landing_page(watch.view())); }},
      {"/metrics",
       [&watch] {
         return Reply{200, duet::exporter::kMetricsType, metrics_page(run_metrics(watch.view()))};
       }},
      {"/edges", [&watch] { return Reply::json(run_edges_page(watch.view())); }},
      {"/sd",
       [&watch, host, &port] {
         return Reply::json(run_discovery_page(watch.view(), host + ":" + std::to_string(port)));
       }},
      {"/healthz", [] { return Reply::text(200, "ok\n"); }},
      {"/readyz",
       [&watch] {
         const RunView run = watch.view();
         return Reply::text(run_ready(run) ? 200 : 503, run_ready_page(run));
       }},
  };
}

void serve(const CommandLine& options, const sigset_t& signals) {
  RunWatch watch(options.live, options.view);
  std::atomic<int> port{options.port};  // asked for while the server begins
  HttpServer server(options.bind, options.port, pages(watch, told_host(options.bind), port));
  port = server.port();
  say("metrics of the run at " + options.live.address + " on http://" + options.bind + ":" +
      std::to_string(port) + "/metrics");
  for (;;) {
    const bool more = watch.poll();
    if (const std::string news = watch.take_news(); !news.empty()) say(news);
    const timespec pause{.tv_sec = 0, .tv_nsec = more ? 0 : kPollNanoseconds};
    if (sigtimedwait(&signals, nullptr, &pause) > 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    int exit_code = 0;
    const auto options = duet::exporter::read_command_line(argc, argv, exit_code);
    if (!options) return exit_code;
    serve(*options, hold_signals());
    return 0;
  } catch (const std::exception& error) {
    say(error.what());
    return 2;
  }
}
