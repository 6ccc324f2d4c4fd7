// The exporter of a whole run: from an observer's snapshot to its pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "duet/observer/observer.h"
#include "run_metrics.h"
#include "run_pages.h"
#include "run_view.h"

namespace duet::exporter {
namespace {

using observer::WorkerState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

observer::Worker sample_worker(int rank) {
  observer::Worker worker;
  worker.rank = rank;
  worker.address = "node:" + std::to_string(29800 + rank);
  worker.state = WorkerState::kRunning;
  worker.last_heard = 1000.0;
  worker.epoch = 1;
  worker.counters.steps = 100 + static_cast<std::uint64_t>(rank);
  worker.counters.pairings = 30;
  worker.counters.rejected_blocks = {{"header", 1}, {"checksum", 2}, {"non_finite", 4}};
  worker.counters.telemetry_dropped = 8;
  worker.counters.broken_ticks = 9;
  worker.counters.step_duration.counts = {0, 0, 5, 90, 0, 0, 0, 0, 0, 0, 0, 0, 4};
  worker.counters.step_duration.sum = 12.5;
  worker.target_pairings_per_second = 12.0;
  for (const int peer : {(rank + 1) % 3, (rank + 2) % 3}) {
    worker.peers.push_back({.rank = peer,
                            .pairings = 15,
                            .pairing_failures = 1,
                            .sent_bytes = 1000,
                            .received_bytes = 2000,
                            .last_pairing = 990.0,
                            .last_distance = 0.25,
                            .in_graph = true,
                            .target_rate = 0.5});
  }
  worker.tick_time = 999.0;
  worker.distance_to_mean = 0.5;
  worker.consensus_distance = 0.75;
  return worker;
}

observer::Snapshot sample_snapshot(int workers = 3) {
  observer::Snapshot snapshot;
  snapshot.time = 1000.0;
  snapshot.run.run_id = "run-7";
  snapshot.run.algorithm = "a2cid2";
  snapshot.run.graph = "ring";
  snapshot.run.transport = "libfabric";
  snapshot.run.version = "1.0.0";
  snapshot.run.world_size = workers;
  snapshot.run.chi1 = 1.0;
  snapshot.run.chi2 = 0.75;
  for (int rank = 0; rank < workers; ++rank)
    snapshot.workers.push_back(sample_worker(rank));
  return snapshot;
}

observer::SourceStatus connected() {
  observer::SourceStatus status;
  status.kind = observer::SourceKind::kLive;
  status.state = observer::SourceState::kRunning;
  return status;
}

RunView run_of(const observer::Snapshot& snapshot, const RunViewOptions& options = {}) {
  return run_view(snapshot, connected(), options);
}

std::string metrics_of(const observer::Snapshot& snapshot, const RunViewOptions& options = {}) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, run_metrics(run_of(snapshot, options)));
  return out.str();
}

TEST(RunMetrics, EveryWorkerHasTheSameFamiliesUnderItsRank) {
  const auto families = run_metrics(run_of(sample_snapshot()));
  std::set<std::string> names;
  for (const auto& family : families) {
    EXPECT_TRUE(names.insert(family.name).second) << family.name << " twice: Prometheus refuses the page";
    std::set<std::string> ranks;
    for (const auto& metric : family.metric) {
      int labels = 0;
      for (const auto& label : metric.label) {
        if (label.name != "rank") continue;
        ++labels;
        ranks.insert(label.value);
      }
      EXPECT_EQ(labels, 1) << family.name;
    }
    EXPECT_THAT(ranks, ElementsAre("0", "1", "2")) << family.name;
  }
  EXPECT_TRUE(names.contains("duet_worker_info"));
}

TEST(RunMetrics, HaveTheWorkersValues) {
  const std::string page = metrics_of(sample_snapshot());
  for (const char* line : {"duet_worker_up{rank=\"1\"} 1\n",
                           "duet_gradient_steps_total{rank=\"2\"} 102\n",
                           "duet_pairings_total{peer=\"0\",rank=\"1\"} 15\n",
                           "duet_pairing_failures_total{peer=\"0\",rank=\"1\"} 1\n",
                           "duet_sent_bytes_total{peer=\"2\",rank=\"1\"} 1000\n",
                           "duet_received_bytes_total{peer=\"2\",rank=\"1\"} 2000\n",
                           "duet_last_pairing_timestamp_seconds{peer=\"2\",rank=\"1\"} 990\n",
                           "duet_pairing_distance{peer=\"2\",rank=\"1\"} 0.25\n",
                           "duet_pairing_target_rate_hertz{rank=\"0\"} 12\n",
                           "duet_rejected_blocks_total{reason=\"non_finite\",rank=\"0\"} 4\n",
                           "duet_telemetry_dropped_total{reason=\"event_queue_full\",rank=\"0\"} 8\n",
                           "duet_telemetry_dropped_total{reason=\"broken_tick\",rank=\"0\"} 9\n",
                           "duet_consensus_distance{rank=\"0\"} 0.75\n",
                           "duet_distance_to_mean{rank=\"0\"} 0.5\n",
                           "duet_tick_timestamp_seconds{rank=\"0\"} 999\n",
                           "duet_topology_chi2{rank=\"0\"} 0.75\n",
                           "duet_membership_epoch{rank=\"0\"} 1\n",
                           "duet_parameters_finite{rank=\"0\"} 1\n",
                           "duet_gradient_step_duration_seconds_bucket{rank=\"0\",le=\"+Inf\"} 99\n",
                           "duet_gradient_step_duration_seconds_sum{rank=\"0\"} 12.5\n"})
    EXPECT_THAT(page, HasSubstr(line));
}

TEST(RunMetrics, EdgesAreSummedUpAsAWorkersOwn) {
  const std::string page = metrics_of(sample_snapshot(), {.most_edges = 1});
  EXPECT_THAT(page, HasSubstr("duet_pairings_total{peer=\"all\",rank=\"1\"} 30\n"));
  EXPECT_THAT(page, HasSubstr("duet_edge_series{rank=\"1\"} 0\n"));
}

TEST(RunMetrics, OfAWorkerThatIsGoneOnlySayThatAndNotForEver) {
  observer::Snapshot snapshot = sample_snapshot();
  snapshot.workers[1].state = WorkerState::kGone;
  snapshot.workers[1].state_since = 940.0;
  std::string page = metrics_of(snapshot);
  EXPECT_THAT(page, HasSubstr("duet_worker_up{rank=\"1\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("duet_worker_up{rank=\"2\"} 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("duet_gradient_steps_total{rank=\"1\"}")));
  page = metrics_of(snapshot, {.forget = 60.0});
  EXPECT_THAT(page, Not(HasSubstr("duet_worker_up{rank=\"1\"}")));
}

TEST(RunMetrics, OfAWorkerThatFinishedEndWithIt) {
  observer::Snapshot snapshot = sample_snapshot();
  snapshot.workers[1].state = WorkerState::kFinished;
  EXPECT_THAT(metrics_of(snapshot), HasSubstr("duet_gradient_steps_total{rank=\"1\"} 101\n"))
      << "it still meets the others";
  snapshot.workers[1].last_heard = 990.0;
  EXPECT_THAT(metrics_of(snapshot), Not(HasSubstr("rank=\"1\"")));
}

TEST(RunMetrics, AWorkerThatIsOnlyToldOfHasNoCounts) {
  observer::Snapshot snapshot = sample_snapshot();
  observer::Worker expected;
  expected.rank = 1;
  expected.address = "node:29801";
  snapshot.workers[1] = expected;
  EXPECT_THAT(metrics_of(snapshot), HasSubstr("duet_worker_up{rank=\"1\"} 0\n"));
  EXPECT_THAT(metrics_of(snapshot), Not(HasSubstr("duet_gradient_steps_total{rank=\"1\"}")));
  snapshot.workers[1].address.clear();
  EXPECT_THAT(metrics_of(snapshot), Not(HasSubstr("duet_worker_up{rank=\"1\"}"))) << "it has no telemetry";
}

/// A counter at 0 that is 100 at the next scrape would be a rate.
TEST(RunMetrics, CountsThatHaveNotComeYetAreNoZeros) {
  observer::Snapshot snapshot = sample_snapshot();
  snapshot.workers[1].epoch = 0;
  EXPECT_THAT(metrics_of(snapshot), Not(HasSubstr("duet_gradient_steps_total{rank=\"1\"}")));
}

TEST(RunMetrics, OfASynchronousAlgorithmHaveNoMeetings) {
  observer::Snapshot snapshot = sample_snapshot();
  snapshot.run.algorithm = "allreduce";
  EXPECT_THAT(metrics_of(snapshot), Not(HasSubstr("duet_pairing")));
  snapshot.run.algorithm = "of a release to come";
  EXPECT_THAT(metrics_of(snapshot), HasSubstr("duet_pairings_total"));
}

TEST(RunMetrics, OfNoRunAreNone) {
  EXPECT_THAT(run_metrics(run_of({})), IsEmpty());
}

/// Through the real thing: frames of synthetic workers, decoded and judged by the observer.
TEST(RunMetrics, OfTheDemoAgreeWithTheObserver) {
  observer::DemoOptions demo;
  demo.workers = 6;
  demo.standard_troubles = false;
  observer::Observer observer(observer::make_demo_source(demo));
  for (int i = 0; i <= 100; ++i)
    observer.poll(0.1 * i);
  const observer::Snapshot& snapshot = observer.snapshot();
  const RunView run = run_view(snapshot, observer.status());
  ASSERT_EQ(run.workers.size(), 6u);
  double meetings = 0.0, expected = 0.0;
  for (const auto& family : run_metrics(run)) {
    if (family.name != "duet_pairings_total") continue;
    for (const auto& metric : family.metric)
      meetings += metric.counter.value;
  }
  for (const observer::Worker& worker : snapshot.workers) {
    expected += static_cast<double>(worker.counters.pairings);
    EXPECT_TRUE(run.workers[static_cast<std::size_t>(worker.rank)].tick) << worker.rank;
  }
  EXPECT_GT(meetings, 0.0);
  EXPECT_EQ(meetings, expected);
}

TEST(RunPages, AreReadyWhenARunIsHeard) {
  EXPECT_TRUE(run_ready(run_of(sample_snapshot())));
  EXPECT_EQ(run_ready_page(run_of(sample_snapshot())), "3 of 3 workers are heard\n");
  observer::SourceStatus nobody;
  nobody.text = "nobody answers at node0:29800 yet; trying again";
  const RunView none = run_view({}, nobody);
  EXPECT_FALSE(run_ready(none));
  EXPECT_THAT(run_ready_page(none), HasSubstr("nobody answers at node0:29800"));
}

TEST(RunPages, EdgesAreTheWorkersOwn) {
  const auto page = nlohmann::json::parse(run_edges_page(run_of(sample_snapshot())));
  ASSERT_EQ(page.size(), 3u);
  EXPECT_EQ(page[1]["rank"], 1);
  EXPECT_EQ(page[1]["edges"].size(), 2u);
  EXPECT_EQ(page[1]["edges"][0]["pairings"], 15);
  EXPECT_EQ(nlohmann::json::parse(run_edges_page(run_of({}))), nlohmann::json::array());
}

TEST(RunPages, DiscoveryNamesTheExporterWithTheRunsId) {
  const auto groups = nlohmann::json::parse(run_discovery_page(run_of(sample_snapshot()), "monitor:29600"));
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0]["targets"], nlohmann::json::array({"monitor:29600"}));
  EXPECT_EQ(groups[0]["labels"]["run_id"], "run-7");
  EXPECT_FALSE(groups[0]["labels"].contains("rank"));
  EXPECT_EQ(nlohmann::json::parse(run_discovery_page(run_of({}), "monitor:29600")), nlohmann::json::array());
}

TEST(RunPages, NamesFromOutsideDoNoHarm) {
  observer::Snapshot snapshot = sample_snapshot();
  snapshot.run.run_id = "<script>alert(1)</script>\xff";
  EXPECT_THAT(run_landing_page(run_of(snapshot)), Not(HasSubstr("<script>")));
  EXPECT_TRUE(nlohmann::json::accept(run_discovery_page(run_of(snapshot), "a:1")));
  EXPECT_TRUE(nlohmann::json::accept(run_edges_page(run_of(snapshot))));
}

}  // namespace
}  // namespace duet::exporter
