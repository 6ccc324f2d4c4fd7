#include "settings.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "duet/error.h"

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Parsed {
  std::optional<int> code;
  samples::Settings settings;
  std::string error;
};

Parsed parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "duet-train");
  Parsed parsed;
  ::testing::internal::CaptureStderr();
  try {
    parsed.code = samples::parse(static_cast<int>(arguments.size()), arguments.data(), parsed.settings);
  } catch (const duet::ConfigurationError& error) {
    parsed.error = error.what();
  }
  const auto printed = ::testing::internal::GetCapturedStderr();
  if (parsed.error.empty()) parsed.error = printed;
  return parsed;
}

TEST(Settings, DefaultToTheDigitsRecipe) {
  const auto parsed = parse({});
  ASSERT_FALSE(parsed.code.has_value()) << parsed.error;
  const auto& settings = parsed.settings;
  EXPECT_EQ(settings.dataset, "digits");
  EXPECT_EQ(settings.epochs, 300.0);
  EXPECT_EQ(settings.batch_size, 16u);
  EXPECT_EQ(settings.lr, 0.05);
  EXPECT_EQ(settings.momentum, 0.9);
  EXPECT_EQ(settings.weight_decay, 5e-4);
  EXPECT_EQ(settings.options.algorithm, "a2cid2");
  EXPECT_EQ(settings.options.world_size, 1);
  EXPECT_DOUBLE_EQ(settings.schedule(16).learning_rate(0.2), 0.05);
}

TEST(Settings, KnowCifarsRecipe) {
  const auto parsed = parse({"--dataset", "cifar10", "--data", "somewhere"});
  EXPECT_EQ(parsed.settings.epochs, 100.0);
  EXPECT_EQ(parsed.settings.batch_size, 128u);
  EXPECT_EQ(parsed.settings.lr, 0.1);
  EXPECT_EQ(parsed.settings.data, "somewhere");
  EXPECT_DOUBLE_EQ(parsed.settings.schedule(4).learning_rate(0.2), 0.2);
}

TEST(Settings, KnowImageNetsAndTextsRecipes) {
  const auto images = parse({"--dataset", "imagenet"}).settings;
  EXPECT_EQ(images.epochs, 90.0);
  EXPECT_EQ(images.batch_size, 32u);
  EXPECT_EQ(images.optimizer, "sgd");
  EXPECT_EQ(images.weight_decay, 1e-4);
  EXPECT_DOUBLE_EQ(images.schedule(64).learning_rate(0.2), 0.8);
  EXPECT_NEAR(images.schedule(64).learning_rate(0.95), 0.0008, 1e-12);
  const auto text = parse({"--dataset", "text"}).settings;
  EXPECT_EQ(text.optimizer, "adamw");
  EXPECT_EQ(text.lr, 1e-3);
  EXPECT_EQ(text.weight_decay, 0.01);
  EXPECT_EQ(parse({"--dataset", "text", "--optimizer", "sgd", "--weight-decay", "0"}).settings.optimizer,
            "sgd");
  EXPECT_EQ(parse({"--dataset", "text", "--weight-decay", "0"}).settings.weight_decay, 0.0);
  EXPECT_THAT(parse({"--dataset", "text", "--dirichlet", "0.1"}).error, HasSubstr("no labels"));
}

TEST(Settings, MultiplySgdsLearningRateByTheWorkersButNotAdamWs) {
  for (const char* dataset : {"cifar10", "imagenet"}) {
    const auto sgd = parse({"--dataset", dataset, "--batch-size", "64"}).settings;
    EXPECT_DOUBLE_EQ(sgd.schedule(16).learning_rate(0.2), 0.4) << dataset;
    const auto adamw = parse({"--dataset", dataset, "--optimizer", "adamw"}).settings;
    for (const int workers : {1, 16, 64}) {
      EXPECT_DOUBLE_EQ(adamw.schedule(workers).learning_rate(0.0), 1e-3) << dataset;
      EXPECT_DOUBLE_EQ(adamw.schedule(workers).learning_rate(0.2), 1e-3) << dataset;
    }
  }
  EXPECT_DOUBLE_EQ(parse({"--dataset", "cifar10"}).settings.schedule(1).learning_rate(0.2), 0.1);
  EXPECT_DOUBLE_EQ(parse({"--dataset", "imagenet"}).settings.schedule(1).learning_rate(0.2), 0.0125);
}

TEST(Settings, RefuseWhatTheDataSetHasNoUseFor) {
  const std::vector<std::vector<const char*>> lines = {
      {"--image-side", "64"},
      {"--image-side", "64", "--dataset", "cifar10"},
      {"--context", "32"},
      {"--context", "32", "--dataset", "imagenet"},
      {"--momentum", "0.5", "--dataset", "text"},
      {"--momentum", "0.5", "--optimizer", "adamw"},
  };
  for (const auto& line : lines) {
    const auto parsed = parse(line);
    EXPECT_THAT(parsed.error, AllOf(HasSubstr(line[0]), HasSubstr("--dataset " + parsed.settings.dataset)));
    EXPECT_EQ(parsed.error.find('\n'), std::string::npos) << parsed.error;
  }
  EXPECT_EQ(parse({"--image-side", "64", "--dataset", "imagenet"}).error, "");
  EXPECT_EQ(parse({"--context", "32", "--dataset", "text"}).error, "");
  EXPECT_EQ(parse({"--momentum", "0.5", "--dataset", "text", "--optimizer", "sgd"}).error, "");
}

TEST(Settings, TakeEveryFlag) {
  const auto parsed = parse({"--algorithm",   "adpsgd",        "--graph",        "star", "--rate",    "2",
                             "--transport",   "libfabric:tcp", "--clock",        "wall", "--pairing", "fifo",
                             "--epochs",      "1.5",           "--batch-size",   "8",    "--lr",      "0.2",
                             "--momentum",    "0.5",           "--seed",         "9",    "--wire",    "bf16",
                             "--constant-lr", "--progress",    "--weight-decay", "0"});
  ASSERT_FALSE(parsed.code.has_value()) << parsed.error;
  const auto& options = parsed.settings.options;
  EXPECT_EQ(options.algorithm, "adpsgd");
  EXPECT_EQ(options.graph, "star");
  EXPECT_EQ(options.rate, 2.0);
  EXPECT_EQ(options.transport, "libfabric:tcp");
  EXPECT_EQ(options.clock, "wall");
  EXPECT_EQ(options.pairing, "fifo");
  EXPECT_EQ(options.seed, 9u);
  EXPECT_EQ(options.wire, duet::DType::kBFloat16);
  EXPECT_EQ(parsed.settings.epochs, 1.5);
  EXPECT_EQ(parsed.settings.batch_size, 8u);
  EXPECT_EQ(parsed.settings.momentum, 0.5);
  EXPECT_EQ(parsed.settings.weight_decay, 0.0);
  EXPECT_TRUE(parsed.settings.progress);
  EXPECT_DOUBLE_EQ(parsed.settings.schedule(1).learning_rate(0.9), 0.2);
}

TEST(Settings, RunThreadsOverTheInprocTransport) {
  EXPECT_EQ(parse({"--workers", "4"}).settings.options.transport, "inproc");
  EXPECT_EQ(parse({"--workers", "4", "--transport", "libfabric"}).settings.options.transport, "libfabric");
}

TEST(Settings, TakeAStraggler) {
  EXPECT_EQ(parse({}).settings.straggler, -1);
  const auto parsed = parse({"--workers", "8", "--straggler", "5:2.5"});
  EXPECT_EQ(parsed.settings.straggler, 5);
  EXPECT_DOUBLE_EQ(parsed.settings.straggler_factor, 2.5);
  EXPECT_EQ(parse({}).settings.step_time, 0.0);
  EXPECT_EQ(parse({"--step-time", "0.01"}).settings.step_time, 0.01);
  EXPECT_EQ(parse({"--step-time", "-1"}).code, 2);
  EXPECT_EQ(parse({"--step-time", "nan"}).code, 2);
  EXPECT_EQ(parse({"--straggler", "5"}).code, 2);
  for (const char* wrong : {"8:4", "-1:4", "1.5:4", "1:0.5", "1:nan"}) {
    const std::string flag = std::string("--straggler=") + wrong;
    const auto refused = parse({"--workers", "8", flag.c_str()});
    EXPECT_FALSE(refused.code.has_value()) << wrong;
    EXPECT_THAT(refused.error, HasSubstr("RANK:FACTOR")) << wrong;
  }
}

TEST(Settings, RefuseWhatCannotBe) {
  for (const std::vector<const char*>& line : std::vector<std::vector<const char*>>{{"--dataset", "mnist"},
                                                                                    {"--epochs", "0"},
                                                                                    {"--epochs", "-1"},
                                                                                    {"--batch-size", "0"},
                                                                                    {"--lr", "-0.1"},
                                                                                    {"--lr", "x"},
                                                                                    {"--momentum", "1.5"},
                                                                                    {"--momentum", "nan"},
                                                                                    {"--wire", "int4"},
                                                                                    {"--workers", "0"},
                                                                                    {"--dirichlet", "0"},
                                                                                    {"--dirichlet", "2e6"},
                                                                                    {"--context", "1025"},
                                                                                    {"--context", "1"},
                                                                                    {"--nonsense"}}) {
    const auto parsed = parse(line);
    EXPECT_EQ(parsed.code, 2) << line[0];
    EXPECT_THAT(parsed.error, AllOf(HasSubstr("duet-train: "), HasSubstr("--help"))) << line[0];
    EXPECT_EQ(std::count(parsed.error.begin(), parsed.error.end(), '\n'), 1) << parsed.error;
  }
  for (const std::vector<const char*>& line :
       std::vector<std::vector<const char*>>{{"--rate", "0"},
                                             {"--seed", "-1"},
                                             {"--algorithm", "sgd"},
                                             {"--clock", "sundial"},
                                             {"--pairing", "blind"},
                                             {"--report", "/nowhere/at/all.json"}}) {
    const auto parsed = parse(line);
    EXPECT_FALSE(parsed.code.has_value());
    EXPECT_THAT(parsed.error, HasSubstr(line[1])) << line[0];
  }
}

}  // namespace
