#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "training.h"

/// Real workers in one process, real models: what the page of science claims of them.
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool full() {
  return std::getenv("DUET_TEST_FULL") != nullptr;
}

/// Seconds, most of them asleep: workers that share a few processors are then as if each had a device of its
/// own.
constexpr double kStepTime = 0.01;

class RealTraining : public ::testing::Test {
 protected:
  RealTraining()
      : report_(fs::temp_directory_path() / ("duet-science-" + std::to_string(getpid()) + ".json")) {
    settings_.report = report_;
    settings_.options.transport = "inproc";
    settings_.options.graph = "ring";
  }
  ~RealTraining() override {
    std::error_code ignored;
    fs::remove(report_, ignored);
  }

  json run(const samples::Task& task, const std::string& algorithm, double rate, std::uint64_t seed) {
    settings_.options.algorithm = algorithm;
    settings_.options.rate = rate;
    settings_.options.seed = seed;
    EXPECT_EQ(samples::train_in_threads(settings_, task), 0);
    return json::parse(std::ifstream(report_));
  }

  /// Root mean square over the second half of the steps.
  static double consensus(const json& report) {
    const json& trace = report["trace"];
    const double middle = trace.back()["steps"].get<double>() / 2.0;
    double sum = 0.0;
    int count = 0;
    for (const json& point : trace) {
      if (point["steps"].get<double>() < middle || !point["consensus_distance"].is_number()) continue;
      sum += std::pow(point["consensus_distance"].get<double>(), 2.0);
      ++count;
    }
    EXPECT_GE(count, 3) << "a trace too short to tell";
    return count > 0 ? std::sqrt(sum / count) : 0.0;
  }

  /// When the mean loss of the workers, each smoothed over ten batches or so, was first at `loss`; infinity:
  /// never.
  static double seconds_to(double loss, const json& report) {
    for (const json& point : report["trace"]) {
      if (point["loss"].is_number() && point["loss"].get<double>() <= loss)
        return point["seconds"].get<double>();
    }
    return std::numeric_limits<double>::infinity();
  }

  samples::Settings settings_;
  fs::path report_;
};

TEST_F(RealTraining, WithOneWorkerFourTimesSlowerTheOthersDoNotWaitForIt) {
  settings_.data = DUET_SAMPLE_DATA;
  settings_.workers = 8;
  settings_.batch_size = 16;
  settings_.lr = 0.05;
  settings_.epochs = 30.0;
  settings_.options.telemetry_interval = 0.1;  // as finely the trace tells the time
  settings_.step_time = kStepTime;
  settings_.straggler = 5;
  settings_.straggler_factor = 4.0;
  const auto task = samples::load_task(settings_);
  constexpr double kLoss = 0.1;
  double synchronous = 0.0, asynchronous = 0.0;
  const int seeds = full() ? 5 : 1;
  for (int seed = 1; seed <= seeds; ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    synchronous += seconds_to(kLoss, run(*task, "allreduce", 1.0, number)) / seeds;
    asynchronous += seconds_to(kLoss, run(*task, "a2cid2", 1.0, number)) / seeds;
  }
  std::cout << "loss " << kLoss << " with one of 8 workers 4 times slower: allreduce " << synchronous
            << " s, a2cid2 " << asynchronous << " s, ratio " << synchronous / asynchronous << std::endl;
  ASSERT_TRUE(std::isfinite(synchronous) && std::isfinite(asynchronous));
  EXPECT_GT(synchronous / asynchronous, 2.0);
}

TEST_F(RealTraining, OfSixteenWorkersA2Cid2IsWorthMoreCommunication) {
  settings_.data = DUET_SAMPLE_DATA;
  settings_.workers = 16;
  settings_.batch_size = 16;
  settings_.lr = 0.05;
  settings_.step_time = kStepTime;
  settings_.constant_lr = true;  // a stationary distance belongs to one learning rate
  settings_.epochs = full() ? 300.0 : 100.0;
  const auto task = samples::load_task(settings_);
  double a2cid2 = 0.0, baseline = 0.0, baseline_twice = 0.0, accuracy = 0.0, accuracy_twice = 0.0;
  const int seeds = full() ? 5 : 3;
  for (int number = 1; number <= seeds; ++number) {
    const auto seed = static_cast<std::uint64_t>(number);
    const json with = run(*task, "a2cid2", 1.0, seed), once = run(*task, "adpsgd", 1.0, seed),
               twice = run(*task, "adpsgd", 2.0, seed);
    a2cid2 += consensus(with) / seeds;
    baseline += consensus(once) / seeds;
    baseline_twice += consensus(twice) / seeds;
    accuracy += with["final"]["test_accuracy"].get<double>() / seeds;
    accuracy_twice += twice["final"]["test_accuracy"].get<double>() / seeds;
  }
  RecordProperty("a2cid2", std::to_string(a2cid2));
  RecordProperty("baseline", std::to_string(baseline));
  RecordProperty("baseline_at_twice_the_rate", std::to_string(baseline_twice));
  // Seeds differ by a tenth; 0.8 and 1.3 were measured. In virtual time without curvature (test_science) it
  // is more, and on larger rings more than twice the communication.
  EXPECT_LT(a2cid2, 0.93 * baseline);
  EXPECT_LT(a2cid2, 1.6 * baseline_twice);
  EXPECT_GE(accuracy, accuracy_twice - 0.01);
}

TEST_F(RealTraining, ATransformerWithAdamWOnARingOf8IsWithinTwoPerCentOfAllReducesLoss) {
  settings_.dataset = "text";
  settings_.data = DUET_SAMPLE_TEXT;
  settings_.workers = 8;
  settings_.batch_size = 16;
  settings_.optimizer = "adamw";
  settings_.lr = 1e-3;
  settings_.weight_decay = 0.01;
  settings_.epochs = full() ? 100.0 : 15.0;
  const auto task = samples::load_task(settings_);
  const int seeds = full() ? 3 : 1;
  double allreduce = 0.0, a2cid2 = 0.0;
  for (int seed = 1; seed <= seeds; ++seed) {
    const auto number = static_cast<std::uint64_t>(seed);
    allreduce += run(*task, "allreduce", 1.0, number)["final"]["test_loss"].get<double>() / seeds;
    a2cid2 += run(*task, "a2cid2", 1.0, number)["final"]["test_loss"].get<double>() / seeds;
  }
  RecordProperty("allreduce", std::to_string(allreduce));
  RecordProperty("a2cid2", std::to_string(a2cid2));
  EXPECT_LT(allreduce, 3.0) << "it must have learnt something";
  EXPECT_LT(a2cid2, 1.02 * allreduce);
}

}  // namespace
