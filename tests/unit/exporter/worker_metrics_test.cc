#include "worker_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "pages.h"
#include "sample_view.h"

namespace duet::exporter {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using testing::HasSubstr;
using testing::Not;

std::map<std::string, MetricFamily> by_name(const WorkerView& view) {
  std::map<std::string, MetricFamily> families;
  for (auto& family : worker_metrics(view)) {
    EXPECT_FALSE(families.contains(family.name)) << family.name << " twice";
    families[family.name] = family;
  }
  return families;
}

std::string text(const WorkerView& view) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, worker_metrics(view));
  return out.str();
}

std::set<std::string> labels_of(const MetricFamily& family) {
  std::set<std::string> names;
  for (const auto& metric : family.metric) {
    for (const auto& label : metric.label)
      names.insert(label.name);
  }
  return names;
}

// The names, types and labels that docs/monitoring.md promises.
TEST(WorkerMetrics, AreThoseThatWerePromised) {
  struct Promise {
    MetricType type;
    std::set<std::string> labels;
  };
  const std::set<std::string> none, peer = {"peer"}, reason = {"reason"};
  const std::map<std::string, Promise> promises = {
      {"duet_build_info", {MetricType::Gauge, {"version"}}},
      {"duet_worker_info",
       {MetricType::Gauge, {"rank", "world_size", "transport", "topology", "algorithm", "run_id"}}},
      {"duet_gradient_steps_total", {MetricType::Counter, none}},
      {"duet_gradient_step_duration_seconds", {MetricType::Histogram, none}},
      {"duet_pairings_total", {MetricType::Counter, peer}},
      {"duet_pairing_failures_total", {MetricType::Counter, peer}},
      {"duet_sent_bytes_total", {MetricType::Counter, peer}},
      {"duet_received_bytes_total", {MetricType::Counter, peer}},
      {"duet_last_pairing_timestamp_seconds", {MetricType::Gauge, peer}},
      {"duet_pairing_distance", {MetricType::Gauge, peer}},
      {"duet_pairing_wait_seconds", {MetricType::Histogram, none}},
      {"duet_pairing_duration_seconds", {MetricType::Histogram, none}},
      {"duet_consensus_distance", {MetricType::Gauge, none}},
      {"duet_distance_to_mean", {MetricType::Gauge, none}},
      {"duet_tick_timestamp_seconds", {MetricType::Gauge, none}},
      {"duet_pairing_target_rate_hertz", {MetricType::Gauge, none}},
      {"duet_topology_chi1", {MetricType::Gauge, none}},
      {"duet_topology_chi2", {MetricType::Gauge, none}},
      {"duet_topology_components", {MetricType::Gauge, none}},
      {"duet_membership_epoch", {MetricType::Gauge, none}},
      {"duet_parameters_finite", {MetricType::Gauge, none}},
      {"duet_edge_series", {MetricType::Gauge, none}},
      {"duet_rejected_blocks_total", {MetricType::Counter, reason}},
      {"duet_shed_pairings_total", {MetricType::Counter, none}},
      {"duet_reconnects_total", {MetricType::Counter, none}},
      {"duet_telemetry_dropped_total", {MetricType::Counter, reason}},
  };
  const auto families = by_name(sample_view());
  for (const auto& [name, promise] : promises) {
    ASSERT_TRUE(families.contains(name)) << name;
    EXPECT_EQ(families.at(name).type, promise.type) << name;
    EXPECT_EQ(labels_of(families.at(name)), promise.labels) << name;
    EXPECT_FALSE(families.at(name).help.empty()) << name;
  }
  EXPECT_EQ(families.size(), promises.size()) << "one that is not documented";
  EXPECT_THAT(families.at("duet_consensus_distance").help, HasSubstr("sketch"));
  EXPECT_THAT(families.at("duet_pairings_total").help, HasSubstr("half"));
}

TEST(WorkerMetrics, HaveTheWorkersValues) {
  const std::string page = text(sample_view());
  for (const char* line :
       {"duet_gradient_steps_total 1000\n", "duet_pairings_total{peer=\"2\"} 10\n",
        "duet_pairing_failures_total{peer=\"3\"} 1\n", "duet_pairing_distance{peer=\"2\"} 0.25\n",
        "duet_consensus_distance 0.5\n", "duet_distance_to_mean 0.25\n",
        "duet_tick_timestamp_seconds 1700000000\n", "duet_build_info{version=\"1.0.0\"} 1\n",
        "duet_rejected_blocks_total{reason=\"non_finite\"} 4\n",
        "duet_telemetry_dropped_total{reason=\"broken_tick\"} 9\n",
        "duet_gradient_step_duration_seconds_bucket{le=\"+Inf\"} 999\n",
        "duet_gradient_step_duration_seconds_count 999\n", "duet_gradient_step_duration_seconds_sum 12.5\n",
        "duet_topology_chi2 0.75\n"})
    EXPECT_THAT(page, HasSubstr(line));
  // Buckets are cumulative.
  EXPECT_THAT(page, HasSubstr("duet_gradient_step_duration_seconds_bucket{le=\"0.001\"} 5\n"));
  EXPECT_THAT(page, HasSubstr("duet_gradient_step_duration_seconds_bucket{le=\"0.003\"} 995\n"));
}

TEST(WorkerMetrics, KnownSeriesBeginAtZero) {
  WorkerView view = sample_view();
  view.statistics = {};
  view.statistics.edges = {EdgeStatistics{}};
  view.statistics.edges[0].peer = 2;
  const std::string page = text(view);
  EXPECT_THAT(page, HasSubstr("duet_pairings_total{peer=\"2\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("duet_rejected_blocks_total{reason=\"checksum\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("duet_last_pairing_timestamp_seconds{peer=\"2\"} 0\n"));
  EXPECT_THAT(page, Not(HasSubstr("duet_pairing_distance{"))) << "there was no meeting to measure it";
}

TEST(WorkerMetrics, WithoutATickThereIsNoDistance) {
  WorkerView view = sample_view();
  view.tick.reset();
  for (const char* name : {"duet_consensus_distance", "duet_distance_to_mean", "duet_tick_timestamp_seconds"})
    EXPECT_THAT(text(view), Not(HasSubstr(name)));
}

TEST(WorkerMetrics, ADistanceThatIsNotFiniteIsNaN) {
  WorkerView view = sample_view();
  view.tick->consensus_distance = std::nan("");
  view.statistics.parameters_finite = false;
  EXPECT_THAT(text(view), HasSubstr("duet_consensus_distance Nan\n"));
  EXPECT_THAT(text(view), HasSubstr("duet_parameters_finite 0\n"));
}

TEST(WorkerMetrics, EdgesAreFullUpToThirtyTwoAndSummedUpBeyond) {
  EXPECT_THAT(text(sample_view(32)), HasSubstr("duet_pairings_total{peer=\"33\"} 10\n"));
  EXPECT_THAT(text(sample_view(32)), HasSubstr("duet_edge_series 1\n"));
  const auto families = by_name(sample_view(1023));
  std::size_t series = 0;
  for (const auto& [name, family] : families) {
    for (const auto& metric : family.metric)
      series += family.type == MetricType::Histogram ? metric.histogram.bucket.size() + 3 : 1;
  }
  EXPECT_LT(series, 80u) << "a complete graph of 1,024";
  EXPECT_THAT(text(sample_view(1023)), HasSubstr("duet_pairings_total{peer=\"all\"} 10230\n"));
  EXPECT_THAT(text(sample_view(1023)), HasSubstr("duet_edge_series 0\n"));
}

TEST(WorkerMetrics, OfASynchronousAlgorithmHaveNoMeetings) {
  WorkerView view = sample_view();
  view.reports_meetings = false;
  EXPECT_THAT(text(view), Not(HasSubstr("duet_pairing")));
  EXPECT_THAT(text(view), HasSubstr("duet_gradient_steps_total"));
}

TEST(ProcessMetrics, AreOfThisProcess) {
  std::map<std::string, double> values;
  for (const auto& family : process_metrics()) {
    values[family.name] =
        family.type == MetricType::Counter ? family.metric[0].counter.value : family.metric[0].gauge.value;
  }
  EXPECT_GT(values["process_cpu_seconds_total"], 0.0);
  EXPECT_GT(values["process_resident_memory_bytes"], 1e6);
  EXPECT_GT(values["process_open_fds"], 2.0);
  EXPECT_GE(values["process_threads"], 1.0);
  EXPECT_GT(values["process_start_time_seconds"], 1.5e9);
}

TEST(Pages, DiscoveryNamesThoseThatCanBeScraped) {
  const auto groups = nlohmann::json::parse(discovery_page("run-7", sample_members(), {2}));
  ASSERT_EQ(groups.size(), 3u) << "rank 3 has left; rank 2 was lost, and somebody should be told";
  EXPECT_EQ(groups[0]["targets"][0], "127.0.0.1:29700");
  EXPECT_EQ(groups[0]["labels"]["rank"], "0");
  EXPECT_EQ(groups[0]["labels"]["run_id"], "run-7");
  EXPECT_EQ(groups[0]["labels"]["host"], "node-1");
  EXPECT_EQ(groups[2]["labels"]["rank"], "2");
}

TEST(Pages, EdgesAreJson) {
  auto view = sample_view();
  view.statistics.edges[1].meetings = 0;
  view.statistics.edges[0].last_distance = std::nan("");
  const auto page = nlohmann::json::parse(edges_page(view));
  EXPECT_EQ(page["rank"], 1);
  ASSERT_EQ(page["edges"].size(), 2u);
  EXPECT_EQ(page["edges"][0]["pairings"], 10);
  EXPECT_TRUE(page["edges"][0]["last_distance"].is_null());
  EXPECT_TRUE(page["edges"][1]["last_distance"].is_null());
}

TEST(Pages, NamesFromOutsideDoNoHarm) {
  auto view = sample_view();
  view.run_id = "<script>alert(1)</script>\xff";
  EXPECT_THAT(landing_page(view), Not(HasSubstr("<script>")));
  EXPECT_TRUE(nlohmann::json::accept(discovery_page(view.run_id, sample_members(), {})));
  // Prometheus would refuse the whole page.
  EXPECT_THAT(text(view), HasSubstr("run_id=\"<script>alert(1)</script>\xEF\xBF\xBD\""));
  EXPECT_THAT(text(view), Not(HasSubstr("\xff")));
  view.run_id.assign(10'000, 'x');
  EXPECT_LT(text(view).size(), text(sample_view()).size() + 300) << "a label is no place for a novel";
}

}  // namespace
}  // namespace duet::exporter
