#include "training.h"

#include <ATen/Parallel.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/utils.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "blas.h"
#include "cifar10.h"
#include "digits.h"
#include "duet/torch/trainer.h"
#include "folder_task.h"
#include "image_task.h"
#include "monitor.h"
#include "partition.h"
#include "progress.h"
#include "report.h"
#include "report_file.h"
#include "text_task.h"

namespace samples {
namespace {

constexpr double kGatherTimeout = 20.0;
// Of a worker's own model: enough to tell about one per cent. All of ImageNet's test pictures would take
// minutes, and finish() waits for workers that are late only as long as finish_timeout.
constexpr std::size_t kOwnTest = 2000;

std::shared_ptr<Classifier> make_model(const Task& task, std::uint64_t seed) {
  // LibTorch's generator is one for the process; workers that are threads take turns.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  torch::manual_seed(seed);
  return task.make_model();
}

// The recipes, but for the digits', keep weight decay off norms and biases, which have one dimension only.
std::vector<std::vector<torch::Tensor>> decay_groups(Classifier& model, bool spare_vectors) {
  std::vector<std::vector<torch::Tensor>> groups(2);
  for (const auto& parameter : model.parameters()) {
    groups[spare_vectors && parameter.dim() <= 1 ? 1 : 0].push_back(parameter);
  }
  return groups;
}

template <class Optimizer, class OptimizerOptions>
std::unique_ptr<torch::optim::Optimizer> make(const std::vector<std::vector<torch::Tensor>>& groups,
                                              OptimizerOptions options, double weight_decay) {
  std::vector<torch::optim::OptimizerParamGroup> parts;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (groups[i].empty()) continue;
    auto own = std::make_unique<OptimizerOptions>(options);
    own->weight_decay(i == 0 ? weight_decay : 0.0);
    parts.emplace_back(groups[i], std::move(own));
  }
  return std::make_unique<Optimizer>(parts, options);
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const Settings& settings, Classifier& model) {
  const auto groups = decay_groups(model, settings.dataset != "digits");
  if (settings.optimizer == "adamw") {
    return make<torch::optim::AdamW>(groups, torch::optim::AdamWOptions(settings.lr), settings.weight_decay);
  }
  return make<torch::optim::SGD>(groups, torch::optim::SGDOptions(settings.lr).momentum(settings.momentum),
                                 settings.weight_decay);
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr) {
  for (auto& group : optimizer.param_groups())
    group.options().set_lr(lr);
}

// Which training samples are this worker's; empty: all. What a worker that is lost had alone is lost with it.
std::vector<std::size_t> own_samples_of(const Settings& settings, const duet::Options& options,
                                        const Task& task) {
  if (settings.dirichlet <= 0.0) return {};
  constexpr std::uint64_t kApart = 0x9e3779b97f4a7c15;  // from what the seed itself is for
  auto parts =
      dirichlet_partition(task.labels(), options.world_size, settings.dirichlet, options.seed ^ kApart);
  return std::move(parts[static_cast<std::size_t>(options.rank)]);
}

// A machine of another speed, or a device's step that costs this processor little: as if what began at
// `begin` had taken `factor` times as long as it did, or as `least` seconds.
void dawdle(std::chrono::steady_clock::time_point begin, double least, double factor) {
  const std::chrono::duration<double> worked = std::chrono::steady_clock::now() - begin;
  const std::chrono::duration<double> whole(factor * std::max(worked.count(), least));
  std::this_thread::sleep_for(whole - worked);
}

// Gradient steps until the samples of all workers have reached the goal.
void train_to_the_goal(const Settings& settings, const Task& task, Classifier& model,
                       torch::optim::Optimizer& optimizer, duet::torch::Trainer& trainer, Monitor& monitor) {
  const duet::Options& options = trainer.worker().options();
  const Schedule schedule = settings.schedule(options.world_size);
  const auto supply =
      task.supply(settings.batch_size, options.seed + static_cast<std::uint64_t>(options.rank),
                  own_samples_of(settings, options, task));
  Progress progress;
  std::uint64_t own_samples = 0;
  const auto members = [&] { return options.world_size - static_cast<int>(trainer.worker().lost().size()); };
  double smooth_loss = std::numeric_limits<double>::quiet_NaN();
  const double factor = settings.straggler == options.rank ? settings.straggler_factor : 1.0;
  const bool slower = factor > 1.0 || settings.step_time > 0.0;

  model.train();
  while (!trainer.done()) {
    const auto begin = std::chrono::steady_clock::now();
    const Batch batch = supply->next();
    const double samples = progress.samples(trainer.status().samples, own_samples, members());
    set_learning_rate(optimizer, schedule.learning_rate(samples / static_cast<double>(options.sample_goal)));

    optimizer.zero_grad();
    const auto loss = at::cross_entropy_loss(model.forward(batch.x), batch.y);
    loss.backward();
    if (slower) dawdle(begin, settings.step_time, factor);
    trainer.step(settings.batch_size);
    own_samples += settings.batch_size;

    // One batch says little: the mean over the last ten or so.
    const double value = loss.item<double>();
    smooth_loss = std::isnan(smooth_loss) ? value : 0.9 * smooth_loss + 0.1 * value;
    trainer.report_loss(smooth_loss);
    monitor.look();
  }
}

// Those that died after the average: it is theirs, too, but they are lost all the same.
void add_late_losses(const std::vector<int>& lost, duet::FinishResult& result) {
  constexpr int kWorkersWereLost = 3;
  if (lost.empty()) return;
  result.exit_code = kWorkersWereLost;
  for (const int rank : lost) {
    if (std::find(result.lost.begin(), result.lost.end(), rank) == result.lost.end())
      result.lost.push_back(rank);
  }
  std::sort(result.lost.begin(), result.lost.end());
}

}  // namespace

std::shared_ptr<const Task> load_task(const Settings& settings) {
  if (settings.dataset == "cifar10")
    return std::make_shared<ImageTask>(load_cifar10(settings.data), make_resnet18);
  if (settings.dataset == "imagenet") return std::make_shared<FolderTask>(settings.data, settings.image_side);
  if (settings.dataset == "text")
    return std::make_shared<TextTask>(load_text(settings.data, settings.context + 2), settings.context);
  return std::make_shared<ImageTask>(load_digits(settings.data), make_digits_net);
}

int train(const Settings& settings, const duet::Options& who, const Task& task) {
  if (settings.threads > 1) require_blas_for_threads();
  // Workers share the processors; more threads in each would only get into each other's way.
  at::set_num_threads(settings.threads);
  duet::Options options = who;
  options.sample_goal =
      static_cast<std::uint64_t>(std::ceil(settings.epochs * static_cast<double>(task.training_size())));

  const auto model = make_model(task, options.seed);
  const auto optimizer = make_optimizer(settings, *model);
  duet::torch::TrainerOptions trainer_options;
  trainer_options.statistics_every = settings.statistics_every;
  duet::torch::Trainer trainer(*model, *optimizer, options, trainer_options);

  Monitor monitor(trainer, settings.progress);
  train_to_the_goal(settings, task, *model, *optimizer, trainer, monitor);

  trainer.edit([] {});  // takes delivery of the last meetings before the model is tested
  const double own_accuracy = task.score(*model, kOwnTest).accuracy;
  const duet::RunStatus status = trainer.status();
  RunReport report;
  report.result = trainer.finish();
  report.wall_seconds = monitor.seconds();
  const auto own = WorkerReport::from(trainer.statistics(), report.result.distance_to_mean, own_accuracy);
  // The one that will most likely write the report tests the model first: nobody would write it should that
  // one die between having all the parts and writing.
  if (report.result.lowest) report.test = task.score(*model, Task::kAll);
  const auto parts = trainer.worker().gather(to_text(own), kGatherTimeout);
  add_late_losses(trainer.worker().lost(), report.result);
  // Whoever has the parts writes, as the lowest rank may have died since finish().
  if (parts.empty()) return report.result.exit_code;
  if (!report.result.lowest) report.test = task.score(*model, Task::kAll);

  report.run_id = trainer.worker().run_id();
  report.options = trainer.worker().options();
  report.status = status;
  for (const auto& [rank, text] : parts)
    report.workers.push_back(worker_report_from(text));
  report.trace = monitor.trace();
  if (!settings.report.empty()) write_report(settings.report, to_json(report));
  std::printf("averaged model of %zu: test accuracy %.2f %%, loss %.4f, after %.1f s\n",
              report.result.members.size(), 100.0 * report.test.accuracy, report.test.loss,
              report.wall_seconds);
  std::fflush(stdout);
  return report.result.exit_code;
}

int train_in_threads(const Settings& settings, const Task& task) {
  if (settings.workers > 1) require_blas_for_threads();
  const auto count = static_cast<std::size_t>(settings.workers);
  std::vector<int> codes(count, 0);
  std::vector<std::exception_ptr> problems(count);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        duet::Options options = settings.options;
        options.rank = options.local_rank = static_cast<int>(i);
        options.world_size = settings.workers;
        options.rendezvous = "local:train-" + std::to_string(getpid());
        codes[i] = train(settings, options, task);
      } catch (...) {
        problems[i] = std::current_exception();
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  for (const auto& problem : problems) {
    if (problem) std::rethrow_exception(problem);
  }
  return *std::max_element(codes.begin(), codes.end());
}

}  // namespace samples
