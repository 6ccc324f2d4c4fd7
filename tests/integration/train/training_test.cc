#include "training.h"

#include <gmock/gmock.h>
#include <torch/nn/module.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "digits.h"
#include "duet/algorithm.h"
#include "duet/error.h"
#include "evaluation.h"
#include "models.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class Training : public ::testing::Test {
 protected:
  Training()
      : report_(fs::temp_directory_path() / ("duet-training-test-" + std::to_string(getpid()) + ".json")) {
    settings_.data = DUET_SAMPLE_DATA;
    settings_.epochs = 6;
    settings_.batch_size = 16;
    settings_.lr = 0.05;
    settings_.report = report_;
    settings_.options.transport = "inproc";
    settings_.options.seed = 1;
  }
  ~Training() override {
    std::error_code ignored;
    fs::remove(report_, ignored);
  }

  json report() const { return json::parse(std::ifstream(report_)); }

  fs::path report_;
  samples::Settings settings_;
};

TEST_F(Training, AloneReachesNinetyPerCentInAFewEpochs) {
  const auto data = samples::load_data(settings_);
  EXPECT_EQ(samples::train(settings_, settings_.options, *data), 0);
  const json result = report();
  EXPECT_GT(result["final"]["test_accuracy"].get<double>(), 0.9);
  EXPECT_EQ(result["final"]["test_accuracy"], result["final"]["mean_worker_test_accuracy"]);
  EXPECT_EQ(result["final"]["steps"], (6 * 1438 + 15) / 16);
  EXPECT_EQ(result["final"]["meetings"], 0);
  EXPECT_EQ(result["final"]["members"], json::array({0}));
  EXPECT_FALSE(result["trace"].empty());
}

TEST_F(Training, AloneIsDeterministicInTheSeed) {
  const auto data = samples::load_data(settings_);
  settings_.epochs = 1;
  samples::train(settings_, settings_.options, *data);
  const double first = report()["final"]["test_accuracy"];
  samples::train(settings_, settings_.options, *data);
  EXPECT_EQ(report()["final"]["test_accuracy"].get<double>(), first);
}

TEST_F(Training, TogetherReachesNinetyPerCent) {
  const auto data = samples::load_data(settings_);
  settings_.workers = 4;
  settings_.epochs = 20;
  for (const char* algorithm : {"a2cid2", "adpsgd", "allreduce", "dpsgd", "local-sgd"}) {
    settings_.options.algorithm = algorithm;
    settings_.options.rate = std::string(algorithm) == "local-sgd" ? 0.25 : 1.0;
    EXPECT_EQ(samples::train_in_threads(settings_, *data), 0);
    const json result = report();
    EXPECT_EQ(result["algorithm"], algorithm);
    EXPECT_EQ(result["world_size"], 4);
    EXPECT_GT(result["final"]["test_accuracy"].get<double>(), 0.9) << algorithm;
    EXPECT_GE(result["final"]["samples"].get<int>(), 20 * 1438);
    EXPECT_EQ(result["final"]["members"], json::array({0, 1, 2, 3}));
    EXPECT_EQ(result["workers"].size(), 4u);
    if (duet::algorithm_kind(algorithm) == duet::AlgorithmKind::kMeeting ||
        std::string(algorithm) == "dpsgd") {
      EXPECT_GT(result["final"]["meetings"].get<int>(), 0);
    }
  }
}

TEST_F(Training, OfThreadsTellsWhatWentWrong) {
  const auto data = samples::load_data(settings_);
  settings_.workers = 2;
  settings_.options.graph = "moebius";
  EXPECT_THROW(samples::train_in_threads(settings_, *data), duet::ConfigurationError);
}

TEST_F(Training, RunsCifarsRecipeOnResNet18) {
  samples::DataSplit data;
  data.mean = {125.0F, 123.0F, 114.0F};
  data.scale = {0.016F, 0.016F, 0.015F};
  data.augment_padding = 4;
  std::uint32_t noise = 1;
  const auto fill = [&](samples::Dataset& set, int images) {
    set.channels = 3;
    set.height = set.width = 32;
    for (int i = 0; i < images; ++i) {
      set.labels.push_back(static_cast<std::uint8_t>(i % 10));
      for (int k = 0; k < 3072; ++k)
        set.pixels.push_back(static_cast<std::uint8_t>((noise = noise * 1664525 + 1013904223) >> 24));
    }
  };
  fill(data.train, 24);
  fill(data.test, 6);
  settings_.dataset = "cifar10";
  settings_.workers = 2;
  settings_.epochs = 1;
  settings_.batch_size = 4;
  settings_.statistics_every = 2;
  EXPECT_EQ(samples::train_in_threads(settings_, data), 0);
  const json result = report();
  EXPECT_GE(result["final"]["samples"].get<int>(), 24);
  EXPECT_GE(result["final"]["steps"].get<int>(), 6);
  EXPECT_EQ(result["final"]["members"], json::array({0, 1}));
}

TEST(Models, HaveTheSizesThatTheyShould) {
  const auto count = [](torch::nn::Module& model) {
    std::int64_t total = 0;
    for (const auto& parameter : model.parameters())
      total += parameter.numel();
    return total;
  };
  const auto digits = samples::make_digits_net();
  EXPECT_EQ(count(*digits), 160 + 4640 + 1290);
  const auto resnet = samples::make_resnet18();
  EXPECT_EQ(count(*resnet), 11173962);
  resnet->eval();
  samples::Dataset set;
  set.channels = 3;
  set.height = set.width = 32;
  std::vector<float> images(2 * 3 * 32 * 32, 0.5F);
  EXPECT_EQ(resnet->forward(samples::image_tensor(images, set, 2)).sizes(),
            (std::vector<std::int64_t>{2, 10}));
}

}  // namespace
