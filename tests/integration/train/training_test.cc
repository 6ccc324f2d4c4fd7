#include "training.h"

#include <gmock/gmock.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/utils.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "blas.h"
#include "digits.h"
#include "duet/algorithm.h"
#include "duet/error.h"
#include "evaluation.h"
#include "image_task.h"
#include "jpeg.h"
#include "models.h"
#include "pictures.h"
#include "resnet50.h"
#include "transformer.h"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

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
  const auto task = samples::load_task(settings_);
  EXPECT_EQ(samples::train(settings_, settings_.options, *task), 0);
  const json result = report();
  EXPECT_GT(result["final"]["test_accuracy"].get<double>(), 0.9);
  EXPECT_EQ(result["final"]["test_accuracy"], result["final"]["mean_worker_test_accuracy"]);
  EXPECT_GT(result["final"]["test_loss"].get<double>(), 0.0);
  EXPECT_LT(result["final"]["test_loss"].get<double>(), 0.5);
  EXPECT_EQ(result["final"]["steps"], (6 * 1438 + 15) / 16);
  EXPECT_EQ(result["final"]["meetings"], 0);
  EXPECT_EQ(result["final"]["members"], json::array({0}));
  EXPECT_FALSE(result["trace"].empty());
}

TEST_F(Training, AloneIsDeterministicInTheSeed) {
  const auto task = samples::load_task(settings_);
  settings_.epochs = 1;
  samples::train(settings_, settings_.options, *task);
  const double first = report()["final"]["test_accuracy"];
  samples::train(settings_, settings_.options, *task);
  EXPECT_EQ(report()["final"]["test_accuracy"].get<double>(), first);
}

TEST_F(Training, TogetherReachesNinetyPerCent) {
  const auto task = samples::load_task(settings_);
  settings_.workers = 4;
  settings_.epochs = 20;
  for (const char* algorithm : {"a2cid2", "adpsgd", "allreduce", "dpsgd", "local-sgd"}) {
    settings_.options.algorithm = algorithm;
    settings_.options.rate = std::string(algorithm) == "local-sgd" ? 0.25 : 1.0;
    EXPECT_EQ(samples::train_in_threads(settings_, *task), 0);
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

TEST_F(Training, WithUnequalDataReachesNinetyPerCentAllTheSame) {
  settings_.workers = 4;
  settings_.epochs = 30;
  settings_.dirichlet = 0.5;
  const auto task = samples::load_task(settings_);
  EXPECT_EQ(samples::train_in_threads(settings_, *task), 0);
  const json result = report();
  EXPECT_GT(result["final"]["test_accuracy"].get<double>(), 0.9);
}

TEST_F(Training, WorkersThatKnowFewLabelsAndNeverMeetAreBadOnTheirOwn) {
  settings_.workers = 4;
  settings_.epochs = 24;
  // Practically no meetings. Rounds so rare would not do: synchronous workers learn in them that it is the
  // end.
  settings_.options.algorithm = "adpsgd";
  settings_.options.rate = 1e-6;
  const auto task = samples::load_task(settings_);
  EXPECT_EQ(samples::train_in_threads(settings_, *task), 0);
  EXPECT_GT(report()["final"]["mean_worker_test_accuracy"].get<double>(), 0.8);
  settings_.dirichlet = 1e-6;  // each label is one worker's
  EXPECT_EQ(samples::train_in_threads(settings_, *task), 0);
  EXPECT_LT(report()["final"]["mean_worker_test_accuracy"].get<double>(), 0.6);
}

TEST_F(Training, ATransformerLearnsAText) {
  const fs::path text = report_.string() + ".txt";
  {
    std::ofstream out(text);
    for (int k = 0; k < 400; ++k)
      out << "the quick brown fox jumps over the lazy dog; ";
  }
  settings_.dataset = "text";
  settings_.data = text;
  settings_.context = 32;
  settings_.optimizer = "adamw";
  settings_.lr = 3e-3;
  settings_.weight_decay = 0.01;
  settings_.epochs = 40;
  settings_.workers = 2;
  const auto task = samples::load_task(settings_);
  EXPECT_TRUE(task->labels().empty());
  EXPECT_EQ(samples::train_in_threads(settings_, *task), 0);
  fs::remove(text);
  // Without having learnt anything: ln of 28 different characters, 3.3.
  EXPECT_LT(report()["final"]["test_loss"].get<double>(), 2.0);
}

TEST_F(Training, OfThreadsTellsWhatWentWrong) {
  const auto task = samples::load_task(settings_);
  settings_.workers = 2;
  settings_.options.graph = "moebius";
  EXPECT_THROW(samples::train_in_threads(settings_, *task), duet::ConfigurationError);
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
  EXPECT_EQ(samples::train_in_threads(settings_, samples::ImageTask(data, samples::make_resnet18)), 0);
  const json result = report();
  EXPECT_GE(result["final"]["samples"].get<int>(), 24);
  EXPECT_GE(result["final"]["steps"].get<int>(), 6);
  EXPECT_EQ(result["final"]["members"], json::array({0, 1}));
}

TEST_F(Training, RunsImageNetsRecipeOnAFolderWithAFileThatIsNoPicture) {
  if (!samples::can_read_jpeg()) GTEST_SKIP() << "built without libjpeg";
  const fs::path folder = report_.string() + ".pictures";
  for (const char* name : {"train/a/1.jpg", "train/a/2.jpg", "train/b/3.jpg", "train/b/4.jpg", "val/a/5.jpg",
                           "val/b/6.jpg", "val/b/7.jpg"}) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << pictures::jpeg();
  }
  for (const char* name : {"train/a/none.JPEG", "val/a/none.JPEG"})
    std::ofstream(folder / name, std::ios::binary) << "\x89PNG";
  settings_.dataset = "imagenet";
  settings_.data = folder;
  settings_.image_side = 32;
  settings_.workers = 2;
  settings_.batch_size = 2;
  settings_.epochs = 1;
  const auto task = samples::load_task(settings_);
  EXPECT_EQ(task->training_size(), 5u);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(samples::train_in_threads(settings_, *task), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("none.JPEG"));
  fs::remove_all(folder);
  const json result = report();
  EXPECT_GE(result["final"]["samples"].get<int>(), 5);
  EXPECT_EQ(result["final"]["members"], json::array({0, 1}));
  EXPECT_TRUE(std::isfinite(result["final"]["test_loss"].get<double>()));
  // Of three pictures.
  const double right = 3.0 * result["final"]["test_accuracy"].get<double>();
  EXPECT_NEAR(right, std::round(right), 1e-9);
}

TEST(Blas, OfOpenBlasTakesThreadsUnlessItWasBuiltWithout) {
  EXPECT_FALSE(samples::takes_threads(0));
  EXPECT_TRUE(samples::takes_threads(1));  // its own threads
  EXPECT_TRUE(samples::takes_threads(2));  // OpenMP's
  EXPECT_TRUE(samples::takes_threads(std::nullopt));
  if (samples::takes_threads(samples::openblas_parallel())) {
    EXPECT_NO_THROW(samples::require_blas_for_threads());
  } else {
    EXPECT_THROW(samples::require_blas_for_threads(), duet::ConfigurationError);
  }
}

TEST(Models, ResNet50HalvesTheImageFiveTimes) {
  const auto model = samples::make_resnet50(7);
  model->eval();
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(model->forward(torch::zeros({1, 3, 64, 64})).sizes(), (std::vector<std::int64_t>{1, 7}));
  const auto parts = model->named_children();
  auto x = parts["conv1"]->as<torch::nn::Conv2d>()->forward(torch::zeros({1, 3, 64, 64}));
  EXPECT_EQ(x.sizes(), (std::vector<std::int64_t>{1, 64, 32, 32}));
  x = at::max_pool2d(x, 3, 2, 1);
  int block = 0;
  std::int64_t channels = 256, side = 16;
  for (const int count : {3, 4, 6, 3}) {
    for (int k = 0; k < count; ++k) {
      const auto part = parts["block" + std::to_string(++block)];
      x = part->as<samples::Classifier>()->forward(x);
      EXPECT_EQ(x.sizes(), (std::vector<std::int64_t>{1, channels, side, side})) << block;
      // Strides are in the 3×3 convolution.
      const auto& middle = part->named_children()["conv2"]->as<torch::nn::Conv2d>()->options;
      EXPECT_EQ(middle.kernel_size()->at(0), 3);
      EXPECT_EQ(middle.stride()->at(0), k == 0 && block > 1 ? 2 : 1) << block;
    }
    channels *= 2;
    side /= 2;
  }
  EXPECT_EQ(block, 16);
}

TEST(Models, ATransformerDoesNotLookAhead) {
  samples::TransformerShape shape;
  shape.vocabulary = 10;
  shape.context = 8;
  shape.width = 16;
  const auto model = samples::make_transformer(shape);
  model->eval();
  const auto text = torch::randint(10, {1, 8}, at::kLong);
  auto other = text.clone();
  other[0][5] = (text[0][5].item<std::int64_t>() + 1) % 10;
  const auto scores = model->forward(text), changed = model->forward(other);
  EXPECT_EQ(scores.sizes(), (std::vector<std::int64_t>{8, 10}));
  EXPECT_TRUE(at::allclose(scores.narrow(0, 0, 5), changed.narrow(0, 0, 5)));
  EXPECT_FALSE(at::allclose(scores.narrow(0, 5, 1), changed.narrow(0, 5, 1)));
  // Embeddings 10 and 8; two blocks of 12·16² weights, 9·16 biases and 4·16 of norms; the last norm and the
  // head.
  std::int64_t parameters = 0;
  for (const auto& parameter : model->parameters())
    parameters += parameter.numel();
  EXPECT_EQ(parameters, 16 * 18 + 2 * (12 * 256 + 9 * 16 + 4 * 16) + 2 * 16 + 17 * 10);
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
  EXPECT_EQ(count(*samples::make_resnet50(1000)), 25557032);
  resnet->eval();
  samples::Dataset set;
  set.channels = 3;
  set.height = set.width = 32;
  std::vector<float> images(2 * 3 * 32 * 32, 0.5F);
  EXPECT_EQ(resnet->forward(samples::image_tensor(images, set, 2)).sizes(),
            (std::vector<std::int64_t>{2, 10}));
}

}  // namespace
