// The exporter of real workers.
#include "duet/exporter/exporter.h"

#include <duet/duet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "unit/worker/worker_run.h"

namespace {

using duet::Buffer;
using duet::Exporter;
using duet::ExporterOptions;
using duet::Options;
using duet::Worker;
using namespace std::chrono_literals;
using testing::HasSubstr;

Options alone() {
  Options options;
  options.world_size = 1;
  return options;
}

ExporterOptions any_port() {
  ExporterOptions options;
  options.port = 0;
  return options;
}

class Warnings {
 public:
  Warnings() {
    duet::set_log_sink([this](duet::LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      if (level == duet::LogLevel::kWarning) texts_.emplace_back(text);
    });
  }
  ~Warnings() { duet::set_log_sink({}); }
  std::vector<std::string> texts() {
    const std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

TEST(Exporter, ServesItsPages) {
  std::vector<float> x(10);
  Worker worker(alone(), {Buffer{x.data(), x.size()}});
  worker.step([] {});
  Exporter exporter(worker, any_port());
  httplib::Client client(exporter.url());
  const auto metrics = client.Get("/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->status, 200);
  EXPECT_EQ(metrics->get_header_value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(metrics->body, HasSubstr("duet_gradient_steps_total 1\n"));
  EXPECT_THAT(metrics->body, HasSubstr("process_cpu_seconds_total"));
  for (const char* path : {"/", "/healthz", "/readyz", "/edges", "/sd"}) {
    const auto page = client.Get(path);
    ASSERT_TRUE(page) << path;
    EXPECT_EQ(page->status, 200) << path;
  }
  EXPECT_THAT(client.Get("/")->body, HasSubstr("/metrics"));
  const auto targets = nlohmann::json::parse(client.Get("/sd")->body);
  ASSERT_EQ(targets.size(), 1u);
  EXPECT_EQ("http://" + targets[0]["targets"][0].get<std::string>(), exporter.url());
  EXPECT_EQ(client.Get("/nothing")->status, 404);
  EXPECT_EQ(client.Post("/metrics", "x", "text/plain")->status, 404);
}

TEST(Exporter, TwoWorkersOnOnePortBothExport) {
  std::vector<float> x(10), y(10);
  Worker first(alone(), {Buffer{x.data(), x.size()}});
  Worker second(alone(), {Buffer{y.data(), y.size()}});
  Exporter exporter(first, any_port());
  ExporterOptions same;
  same.port = std::stoi(exporter.url().substr(exporter.url().rfind(':') + 1));
  Warnings warnings;
  Exporter other(second, same);
  EXPECT_NE(other.url(), "");
  EXPECT_NE(other.url(), exporter.url());
  ASSERT_EQ(warnings.texts().size(), 1u);
  EXPECT_THAT(warnings.texts()[0], HasSubstr(other.url()));
  EXPECT_THAT(warnings.texts()[0], HasSubstr(std::to_string(same.port)));
  second.step([] {});
  EXPECT_THAT(httplib::Client(other.url()).Get("/metrics")->body, HasSubstr("duet_gradient_steps_total 1\n"));
  EXPECT_THAT(httplib::Client(exporter.url()).Get("/metrics")->body,
              HasSubstr("duet_gradient_steps_total 0\n"));
}

TEST(Exporter, AnAddressThatIsNoneIsAWarning) {
  std::vector<float> x(10);
  Worker worker(alone(), {Buffer{x.data(), x.size()}});
  ExporterOptions options = any_port();
  options.bind = "203.0.113.1";
  Warnings warnings;
  const Exporter exporter(worker, options);
  EXPECT_EQ(exporter.url(), "");
  ASSERT_EQ(warnings.texts().size(), 1u);
  EXPECT_THAT(warnings.texts()[0], HasSubstr("training goes on"));
  worker.step([] {});
}

TEST(Exporter, AWorkerThatExportsByItselfIsNotExportedTwice) {
  std::vector<float> x(10);
  Options options = alone();
  options.metrics_port = 0;
  Worker worker(options, {Buffer{x.data(), x.size()}});
  ASSERT_NE(worker.metrics_address(), "") << "libduet_exporter.so was loaded";
  {
    const Exporter exporter(worker);
    EXPECT_EQ(exporter.url(), "http://" + worker.metrics_address());
  }
  const auto page = httplib::Client("http://" + worker.metrics_address()).Get("/healthz");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
}

/// "0.0.0.0" is no address that one could connect to from elsewhere.
TEST(Exporter, OnAllInterfacesIsToldByTheAddressOfItsTelemetry) {
  const auto errors = run_workers(2, threads_options(), [&](Options mine) {
    mine.telemetry_port = 0;
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    ExporterOptions options = any_port();
    options.bind = "0.0.0.0";
    const Exporter exporter(worker, options);
    EXPECT_THAT(exporter.url(), testing::StartsWith("http://0.0.0.0:"));
    EXPECT_EQ(worker.metrics_address(), "127.0.0.1" + exporter.url().substr(exporter.url().rfind(':')));
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

TEST(Exporter, EachWorkersDiscoveryNamesAllOfTheRun) {
  const auto errors = run_workers(3, threads_options(), [&](Options mine) {
    mine.telemetry_port = 0;
    std::vector<float> x(100);
    Worker worker(mine, {Buffer{x.data(), x.size()}});
    Exporter exporter(worker, any_port());
    httplib::Client client(exporter.url());
    std::size_t targets = 0;
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (targets < 3 && std::chrono::steady_clock::now() < deadline) {
      worker.step([] {});
      std::this_thread::sleep_for(5ms);
      const auto page = client.Get("/sd");
      if (page) targets = nlohmann::json::parse(page->body).size();
    }
    EXPECT_EQ(targets, 3u) << "rank " << mine.rank;
    EXPECT_EQ(client.Get("/readyz")->status, 200);
    const auto edges = nlohmann::json::parse(client.Get("/edges")->body);
    EXPECT_EQ(edges["edges"].size(), 2u);
    worker.finish();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
}

}  // namespace
