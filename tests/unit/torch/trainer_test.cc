#include "duet/torch/trainer.h"

#include <gmock/gmock.h>
#include <torch/torch.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "duet/error.h"

// Not in namespace duet: there, torch would be duet::torch.
namespace {

namespace fs = std::filesystem;
using duet::ConfigurationError;
using duet::FinishResult;
using duet::MembershipError;
using duet::Options;
using duet::torch::Trainer;
using duet::torch::TrainerOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct NetImpl : torch::nn::Module {
  NetImpl() {
    norm = register_module("norm", torch::nn::BatchNorm1d(4));
    head = register_module("head", torch::nn::Linear(4, 2));
  }
  torch::Tensor forward(const torch::Tensor& x) { return head(norm(x)); }
  torch::nn::BatchNorm1d norm{nullptr};
  torch::nn::Linear head{nullptr};
};
TORCH_MODULE(Net);

Options alone() {
  Options options;
  options.world_size = 1;
  options.transport = "inproc";
  return options;
}

Options one_of(int rank, int world_size, const std::string& name) {
  Options options;
  options.rank = rank;
  options.world_size = world_size;
  options.rendezvous = "local:" + name;
  options.transport = "inproc";
  options.clock = "meetings";
  return options;
}

torch::Tensor loss_of(Net& net, const torch::Tensor& x) {
  return torch::mse_loss(net(x), torch::ones({x.size(0), 2}));
}

std::vector<torch::Tensor> values(torch::nn::Module& model) {
  std::vector<torch::Tensor> result;
  for (const auto& parameter : model.parameters())
    result.push_back(parameter.detach().clone());
  for (const auto& buffer : model.buffers())
    result.push_back(buffer.detach().clone());
  return result;
}

void expect_equal(const std::vector<torch::Tensor>& a, const std::vector<torch::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(torch::equal(a[i], b[i])) << "tensor " << i;
}

TEST(Trainer, AloneTrainsAsThePlainOptimizerWould) {
  torch::manual_seed(1);
  Net plain;
  torch::manual_seed(1);
  Net net;
  torch::optim::AdamW plain_optimizer(plain->parameters(), torch::optim::AdamWOptions(0.01));
  torch::optim::AdamW optimizer(net->parameters(), torch::optim::AdamWOptions(0.01));
  Trainer trainer(net, optimizer, alone());
  for (int i = 0; i < 20; ++i) {
    const auto x = torch::randn({8, 4});
    plain_optimizer.zero_grad();
    loss_of(plain, x).backward();
    plain_optimizer.step();
    optimizer.zero_grad();
    loss_of(net, x).backward();
    trainer.step(8);
  }
  EXPECT_EQ(trainer.statistics().steps, 20u);
  EXPECT_EQ(trainer.statistics().samples, 160u);
  const FinishResult result = trainer.finish();
  EXPECT_THAT(result.members, ElementsAre(0));
  EXPECT_EQ(result.exit_code, 0);
  expect_equal(values(*net), values(*plain));
}

TEST(Trainer, TakesModulesInEveryForm) {
  Net holder;
  auto pointer = std::make_shared<NetImpl>();
  NetImpl object;
  torch::optim::SGD a(holder->parameters(), 0.1), b(pointer->parameters(), 0.1), c(object.parameters(), 0.1);
  EXPECT_EQ(Trainer(holder, a, alone()).worker().rank(), 0);
  EXPECT_EQ(Trainer(pointer, b, alone()).worker().rank(), 0);
  EXPECT_EQ(Trainer(object, c, alone()).worker().rank(), 0);
}

TEST(Trainer, StepsOptimizersThatEvaluateTheLossThemselves) {
  torch::manual_seed(1);
  Net net;
  torch::optim::LBFGS optimizer(net->parameters(), torch::optim::LBFGSOptions(0.5).max_iter(4));
  Trainer trainer(net, optimizer, alone());
  const auto x = torch::randn({16, 4});
  std::vector<double> losses;
  for (int i = 0; i < 5; ++i) {
    const auto loss = trainer.step([&] {
      optimizer.zero_grad();
      auto value = loss_of(net, x);
      value.backward();
      return value;
    });
    losses.push_back(loss.item<double>());
  }
  EXPECT_LT(losses.back(), 0.1 * losses.front());
}

TEST(Trainer, BringsALoadedModelBackIntoTheFlatBuffer) {
  const auto path = fs::temp_directory_path() / ("duet-trainer-test-" + std::to_string(getpid()) + ".pt");
  Net saved;
  torch::save(saved, path.string());
  Net net;
  torch::optim::SGD optimizer(net->parameters(), 0.1);
  Trainer trainer(net, optimizer, alone());
  trainer.edit([&] { torch::load(net, path.string()); });
  fs::remove(path);
  expect_equal(values(*net), values(*saved));
  loss_of(net, torch::randn({8, 4})).backward();
  EXPECT_NO_THROW(trainer.step());
}

TEST(Trainer, RefusesToStepWithParametersThatLeft) {
  Net net;
  torch::optim::SGD optimizer(net->parameters(), 0.1);
  Trainer trainer(net, optimizer, alone());
  net->head->bias.set_data(torch::zeros({2}));
  try {
    trainer.step();
    FAIL() << "nothing was thrown";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'head.bias'"));
  }
}

TEST(Trainer, RefusesANegativeInterval) {
  Net net;
  torch::optim::SGD optimizer(net->parameters(), 0.1);
  TrainerOptions trainer_options;
  trainer_options.statistics_every = -1;
  EXPECT_THROW(Trainer(net, optimizer, alone(), trainer_options), ConfigurationError);
}

// Several workers as threads of this process, each with its own model and data.
struct Outcome {
  std::vector<torch::Tensor> at_start, before_finish, at_end;
  FinishResult result;
  float highest_running_mean = 0.0F;  ///< of any channel, at any time while training
};

std::vector<Outcome> train_together(int workers, int steps, int statistics_every, const std::string& name) {
  std::vector<Outcome> outcomes(static_cast<std::size_t>(workers));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < workers; ++rank) {
    threads.emplace_back([&, rank] {
      Outcome& outcome = outcomes[static_cast<std::size_t>(rank)];
      Net net;
      {
        const torch::NoGradGuard no_grad;
        for (auto& parameter : net->parameters())
          parameter.fill_(0.1 * (rank + 1));
        net->norm->running_mean.fill_(0.5 * (rank + 1));
      }
      torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
      TrainerOptions trainer_options;
      trainer_options.statistics_every = statistics_every;
      Trainer trainer(net, optimizer, one_of(rank, workers, name), trainer_options);
      outcome.at_start = values(*net);
      auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(rank));
      for (int i = 0; i < steps; ++i) {
        const auto x = torch::randn({8, 4}, generator) + 10 * rank;
        optimizer.zero_grad();
        const auto loss = loss_of(net, x);
        loss.backward();
        trainer.step(8);
        trainer.report_loss(loss.item<double>());
        outcome.highest_running_mean =
            std::max(outcome.highest_running_mean, net->norm->running_mean.max().item<float>());
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // time to meet
      }
      outcome.before_finish = values(*net);
      outcome.result = trainer.finish();
      outcome.at_end = values(*net);
    });
  }
  for (auto& thread : threads)
    thread.join();
  return outcomes;
}

TEST(Trainer, StartsFromRank0AndEndsWithOneModel) {
  const auto outcomes = train_together(3, 60, 0, "torch-one-model");
  expect_equal(outcomes[1].at_start, outcomes[0].at_start);
  expect_equal(outcomes[2].at_start, outcomes[0].at_start);
  EXPECT_FLOAT_EQ(outcomes[2].at_start[0][0].item<float>(), 0.1f);
  for (int rank = 1; rank < 3; ++rank) {
    const auto& outcome = outcomes[static_cast<std::size_t>(rank)];
    EXPECT_THAT(outcome.result.members, ElementsAre(0, 1, 2));
    expect_equal(outcome.at_end, outcomes[0].at_end);
  }
  // Batch-norm's statistics: the mean of what each worker had measured on its own, very different data.
  const std::size_t mean = outcomes[0].at_end.size() - 3;
  const auto expected =
      (outcomes[0].before_finish[mean] + outcomes[1].before_finish[mean] + outcomes[2].before_finish[mean]) /
      3;
  EXPECT_GT((outcomes[0].before_finish[mean] - outcomes[2].before_finish[mean]).abs().min().item<float>(),
            1.0f);
  EXPECT_TRUE(torch::allclose(outcomes[0].at_end[mean], expected, 1e-5, 1e-6));
}

TEST(Trainer, AveragesStatisticsInMeetingsOnRequest) {
  // Rank 0's data lie around 0 and rank 1's around 10: only from a meeting can rank 0 learn of anything but
  // 0.
  EXPECT_LT(train_together(2, 300, 0, "torch-apart")[0].highest_running_mean, 2.0F);
  const auto outcomes = train_together(2, 300, 2, "torch-statistics");
  EXPECT_GT(outcomes[0].highest_running_mean, 2.0F);
  const std::size_t mean = outcomes[0].at_end.size() - 3;
  const std::size_t variance = mean + 1;
  for (const auto& outcome : outcomes) {
    EXPECT_GT(outcome.before_finish[variance].min().item<float>(), 0.0F);
    EXPECT_TRUE(torch::equal(outcome.at_end[mean], outcomes[0].at_end[mean]));
  }
}

TEST(Trainer, RefusesAnotherModel) {
  std::string message;
  std::thread other([] {
    torch::nn::Linear net(3, 2);
    torch::optim::SGD optimizer(net->parameters(), 0.1);
    Options options = one_of(1, 2, "torch-mismatch");
    options.join_timeout = 5.0;
    EXPECT_THROW(Trainer(net, optimizer, options), MembershipError);
  });
  Net net;
  torch::optim::SGD optimizer(net->parameters(), 0.1);
  Options options = one_of(0, 2, "torch-mismatch");
  options.join_timeout = 5.0;
  EXPECT_THROW(Trainer(net, optimizer, options), duet::Error);
  other.join();
}

}  // namespace
