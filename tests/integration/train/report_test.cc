#include "report.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using nlohmann::json;
using ::testing::ElementsAre;

samples::WorkerReport worker(int rank, int peer, std::uint64_t meetings) {
  samples::WorkerReport report;
  report.rank = rank;
  report.steps = 10;
  report.samples = 160;
  report.meetings[peer] = meetings;
  report.wait_seconds = 0.5;
  report.bytes_sent = 1000;
  report.bytes_received = 2000;
  report.distance_to_mean = 0.25;
  report.test_accuracy = 0.9 + 0.02 * rank;
  return report;
}

samples::RunReport example() {
  samples::RunReport report;
  report.run_id = "run-1";
  report.options.world_size = 3;
  report.options.seed = 4;
  report.test = {0.98, 0.07};
  report.wall_seconds = 12.5;
  report.result.members = {0, 1};
  report.result.lost = {2};
  report.result.consensus_distance = 0.125;
  report.status.steps = 25;
  report.status.samples = 400;
  report.workers = {worker(0, 1, 7), worker(1, 0, 7)};
  report.workers[1].meetings[2] = 3;  // with the one that was lost: only one side is there to tell
  report.trace = {{0.5, 5, 2.0, 1.0}, {1.0, 10, std::numeric_limits<double>::quiet_NaN(), 0.5}};
  return report;
}

template <class Json>
std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items())
    names.push_back(key);
  return names;
}

TEST(Report, HasTheKeysOfItsSchema) {
  const auto report = nlohmann::ordered_json::parse(samples::to_json(example()));
  EXPECT_THAT(keys(report), ElementsAre("schema", "run_id", "algorithm", "graph", "world_size", "transport",
                                        "clock", "rate", "seed", "final", "workers", "trace"));
  EXPECT_THAT(keys(report["final"]),
              ElementsAre("test_accuracy", "test_loss", "mean_worker_test_accuracy", "consensus_distance",
                          "wall_seconds", "steps", "samples", "meetings", "members", "lost"));
  EXPECT_THAT(keys(report["workers"][0]), ElementsAre("rank", "steps", "meetings", "wait_seconds",
                                                      "bytes_sent", "bytes_received", "distance_to_mean"));
  EXPECT_THAT(keys(report["trace"][0]), ElementsAre("seconds", "steps", "loss", "consensus_distance"));
}

TEST(Report, CountsEachMeetingOnceAndTheLostOnesSteps) {
  const auto report = json::parse(samples::to_json(example()));
  EXPECT_EQ(report["schema"], 1);
  EXPECT_EQ(report["final"]["meetings"], 10);
  EXPECT_EQ(report["final"]["steps"], 25);  // 20 of the members, 5 of the one that was lost, as last heard
  EXPECT_EQ(report["final"]["samples"], 400);
  EXPECT_NEAR(report["final"]["mean_worker_test_accuracy"].get<double>(), 0.91, 1e-12);
  EXPECT_EQ(report["final"]["lost"], json::array({2}));
  EXPECT_EQ(report["workers"][1]["meetings"]["2"], 3);
  EXPECT_TRUE(report["trace"][1]["loss"].is_null());
}

TEST(Report, OfAWorkerSurvivesItsTrip) {
  auto before = worker(3, 11, 42);
  before.test_accuracy = std::numeric_limits<double>::quiet_NaN();
  const auto after = samples::worker_report_from(samples::to_text(before));
  EXPECT_EQ(after.rank, 3);
  EXPECT_EQ(after.steps, before.steps);
  EXPECT_EQ(after.samples, before.samples);
  EXPECT_EQ(after.meetings, before.meetings);
  EXPECT_EQ(after.bytes_sent, before.bytes_sent);
  EXPECT_EQ(after.bytes_received, before.bytes_received);
  EXPECT_EQ(after.wait_seconds, before.wait_seconds);
  EXPECT_EQ(after.distance_to_mean, before.distance_to_mean);
  EXPECT_TRUE(std::isnan(after.test_accuracy));
  EXPECT_ANY_THROW(samples::worker_report_from("{\"rank\": 3}"));
  EXPECT_ANY_THROW(samples::worker_report_from("garbage"));
}

}  // namespace
