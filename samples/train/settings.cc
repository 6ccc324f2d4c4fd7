#include "settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iostream>
#include <iterator>
#include <vector>

#include "duet/error.h"
#include "report_file.h"

namespace samples {
namespace {

// CLI11's own says so with all 309 digits of the largest double.
const CLI::Validator kPositive(
    [](std::string& text) {
      double value = 0.0;
      if (CLI::detail::lexical_cast(text, value) && value > 0.0 && std::isfinite(value)) return std::string();
      return text + " is not a positive number";
    },
    "POSITIVE");

// CLI11's own lets through what is no number.
CLI::Validator between(double least, double most) {
  return {[least, most](std::string& text) {
            double value = 0.0;
            if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most)
              return std::string();
            return text + " is not a number from " + CLI::detail::to_string(least) + " to " +
                   CLI::detail::to_string(most);
          },
          "FROM " + CLI::detail::to_string(least) + " TO " + CLI::detail::to_string(most)};
}

/// What a data set's recipe says.
struct Defaults {
  const char* dataset;
  const char* data;
  double epochs;
  std::size_t batch_size;
  const char* optimizer;
  double lr;  ///< of SGD; AdamW's is 0.001
  double weight_decay;
};
constexpr Defaults kDefaults[] = {
    {"digits", DUET_SAMPLE_DATA, 300.0, 16, "sgd", 0.05, 5e-4},
    {"cifar10", "cifar-10-batches-bin", 100.0, 128, "sgd", 0.1, 5e-4},
    {"imagenet", "imagenet", 90.0, 32, "sgd", 0.1, 1e-4},
    {"text", DUET_SAMPLE_TEXT, 100.0, 16, "adamw", 0.1, 1e-2},
};

const Defaults& defaults_of(const std::string& dataset) {
  return *std::find_if(std::begin(kDefaults), std::end(kDefaults) - 1,
                       [&](const Defaults& defaults) { return defaults.dataset == dataset; });
}

// 0 in the settings: not given.
void fill_in_defaults(Settings& settings, bool optimizer_given, bool weight_decay_given) {
  const Defaults& defaults = defaults_of(settings.dataset);
  if (settings.data.empty()) settings.data = defaults.data;
  if (settings.epochs == 0.0) settings.epochs = defaults.epochs;
  if (settings.batch_size == 0) settings.batch_size = defaults.batch_size;
  if (!optimizer_given) settings.optimizer = defaults.optimizer;
  if (settings.lr == 0.0) settings.lr = settings.optimizer == "adamw" ? 1e-3 : defaults.lr;
  if (!weight_decay_given) settings.weight_decay = defaults.weight_decay;
}

void check_workers(Settings& settings, bool transport_given) {
  if (settings.workers == 0) return;
  if (settings.options.world_size > 1) {
    throw duet::ConfigurationError("--workers " + std::to_string(settings.workers) +
                                   " runs all workers in one process, but a launcher has started " +
                                   std::to_string(settings.options.world_size) +
                                   " of them: leave out one of the two");
  }
  if (!transport_given) settings.options.transport = "inproc";
}

void check_straggler(Settings& settings, const std::vector<double>& asked) {
  if (asked.empty()) return;
  const int world_size = settings.workers > 0 ? settings.workers : settings.options.world_size;
  const double rank = asked[0], factor = asked[1];
  if (rank != std::floor(rank) || rank < 0.0 || rank >= world_size || !(factor >= 1.0) || factor > 1e6)
    throw duet::ConfigurationError("--straggler is RANK:FACTOR, e.g. 0:4: RANK one of the " +
                                   std::to_string(world_size) + " workers', FACTOR at least 1");
  settings.straggler = static_cast<int>(rank);
  settings.straggler_factor = factor;
}

// What would be ignored was meant to do something.
void refuse_unless(bool applies, const CLI::Option& option, const Settings& settings,
                   const std::string& because) {
  if (applies || option.count() == 0) return;
  throw duet::ConfigurationError(option.get_name() + " is of no use with --dataset " + settings.dataset +
                                 because);
}

void check_dirichlet(const Settings& settings) {
  if (settings.dirichlet > 0.0 && settings.dataset == "text")
    throw duet::ConfigurationError("--dirichlet shares out labelled data; --dataset text has no labels");
}

#ifdef DUET_WITH_EXPORTER
constexpr int kDefaultMetricsPort = 29700;

bool was_told(const duet::Options& options, const std::string& name) {
  return std::any_of(options.sources.begin(), options.sources.end(),
                     [&](const duet::Options::Source& source) { return source.name == name; });
}
#endif

}  // namespace

Schedule Settings::schedule(int world_size) const {
  if (dataset == "digits" || dataset == "text") return digits_schedule(lr, constant_lr);
  // The rule is SGD's: AdamW's steps do not grow with the gradient.
  const double scale = optimizer == "adamw" ? 1.0 : static_cast<double>(batch_size) * world_size / 256.0;
  return dataset == "imagenet" ? imagenet_schedule(lr, scale, constant_lr)
                               : cifar10_schedule(lr, scale, constant_lr);
}

std::optional<int> parse(int argc, const char* const* argv, Settings& settings) {
  settings.options = duet::Options::from_environment();
  duet::Options& options = settings.options;
  std::string wire = "float32";
#ifdef DUET_WITH_EXPORTER
  // Where it is there, it is on, unless DUET_METRICS_PORT says otherwise.
  if (options.metrics_port < 0 && !was_told(options, "metrics_port"))
    options.metrics_port = kDefaultMetricsPort;
#endif
  bool no_metrics = false;

  CLI::App app{
      "Trains a real model with A2CiD2: start it under duet-run (or any launcher), or with --workers.",
      "duet-train"};
  app.add_option("--dataset", settings.dataset, "What to train on [digits]")
      ->check(CLI::IsMember({"digits", "cifar10", "imagenet", "text"}));
  app.add_option(
      "--data", settings.data,
      "Folder of digits.csv, of CIFAR-10's binary files, of train/CLASS and val/CLASS with JPEG files; "
      "or a text, or a folder of some [digits, text: the source tree's own]");
  app.add_option(
         "--dirichlet", settings.dirichlet,
         "The workers' data differ: each label's shares are drawn with this alpha, small: very unequal "
         "[all workers have all data]")
      ->check(kPositive)
      ->check(CLI::Range(0.0, 1e6));
  auto* const image_side =
      app.add_option("--image-side", settings.image_side, "imagenet: of the images that the network sees")
          ->check(CLI::Range(32, 1024))
          ->capture_default_str();
  auto* const context = app.add_option("--context", settings.context, "text: characters in a sample")
                            ->check(CLI::Range(2, 1024))
                            ->capture_default_str();
  app.add_option("--algorithm", options.algorithm, "a2cid2, adpsgd, allreduce, dpsgd or local-sgd")
      ->capture_default_str();
  app.add_option("--graph", options.graph, "ring, complete, exponential, star, torus:4x5, file:PATH, …")
      ->capture_default_str();
  app.add_option("--rate", options.rate, "Meetings per gradient step and worker")->capture_default_str();
  auto* transport = app.add_option("--transport", options.transport, "inproc, or libfabric[:provider]")
                        ->capture_default_str();
  app.add_option("--transport-settings", options.transport_settings,
                 "KEY=VALUE,KEY=VALUE for the transport, e.g. interface=eth1,port_range=29900-29999");
  app.add_option("--clock", options.clock, "adaptive, wall or meetings")->capture_default_str();
  app.add_option("--pairing", options.pairing, "holdoff, fifo or target")->capture_default_str();
  auto* wire_option = app.add_option("--wire", wire, "Element type on the wire: float32 or bf16 [float32]")
                          ->check(CLI::IsMember({"float32", "bf16"}));
  app.add_option(
         "--epochs", settings.epochs,
         "Of the whole run: samples of all workers / size of the training set [digits 300, cifar10 and "
         "text 100, imagenet 90]")
      ->check(kPositive);
  app.add_option("--batch-size", settings.batch_size,
                 "Of each worker [digits and text 16, cifar10 128, imagenet 32]")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 20));
  auto* const optimizer =
      app.add_option("--optimizer", settings.optimizer, "sgd or adamw [text adamw, else sgd]")
          ->check(CLI::IsMember({"sgd", "adamw"}));
  app.add_option("--lr", settings.lr,
                 "Learning rate; sgd multiplies it by workers x batch size / 256 on imagenet, and on cifar10 "
                 "where that is more than 1 [adamw 0.001; sgd on digits 0.05, else 0.1]")
      ->check(kPositive);
  app.add_flag("--constant-lr", settings.constant_lr, "No warm-up and no decay");
  auto* const momentum = app.add_option("--momentum", settings.momentum, "Of SGD")
                             ->check(between(0.0, 1.0))
                             ->capture_default_str();
  auto* const weight_decay =
      app.add_option(
             "--weight-decay", settings.weight_decay,
             "Not on batch-norm, layer-norm and biases, but for digits [0.0005; imagenet 0.0001; text 0.01]")
          ->check(between(0.0, 1.0));
  app.add_option("--statistics-every", settings.statistics_every,
                 "Average batch-norm's statistics in every k-th meeting, too; 0: at the end only")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--seed", [&](const std::string& text) { options.set("seed", text, "--seed"); },
         "Of the model, the shuffling and the meetings")
      ->default_str(options.get("seed"));
  app.add_option("--metrics-port", options.metrics_port,
                 "Prometheus metrics of the first worker, on loopback; the others' ports count up; 0: any")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_flag("--no-metrics", no_metrics, "Serve no Prometheus metrics")->excludes("--metrics-port");
  app.add_option("--step-time", settings.step_time,
                 "Seconds that a step takes at least (it sleeps): workers of one machine then are as if each "
                 "had a device of its own")
      ->check(between(0.0, 3600.0))
      ->capture_default_str();
  std::vector<double> straggler;
  app.add_option(
         "--straggler", straggler,
         "RANK:FACTOR: that worker takes so many times as long for each step (it sleeps), to see what "
         "a slow machine costs")
      ->delimiter(':')
      ->expected(2);
  app.add_option("--report", settings.report, "Write the run's report there, as JSON");
  app.add_flag("--progress", settings.progress, "Print a line per second");
  app.add_option("--workers", settings.workers, "Run so many workers as threads of this process")
      ->check(CLI::Range(1, 4096));
  app.add_option("--threads", settings.threads, "That LibTorch may use in each worker")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << "duet-train: " << error.what() << " (duet-train --help lists the options)\n";
    return 2;
  }
  if (no_metrics) options.metrics_port = -1;
  if (wire_option->count() > 0)
    options.wire = wire == "bf16" ? duet::DType::kBFloat16 : duet::DType::kFloat32;
  check_workers(settings, transport->count() > 0);
  fill_in_defaults(settings, optimizer->count() > 0, weight_decay->count() > 0);
  refuse_unless(settings.dataset == "imagenet", *image_side, settings, ": it is imagenet's");
  refuse_unless(settings.dataset == "text", *context, settings, ": it is text's");
  refuse_unless(settings.optimizer == "sgd", *momentum, settings, " and --optimizer adamw: it is SGD's");
  check_dirichlet(settings);
  check_straggler(settings, straggler);
  if (!settings.report.empty()) require_writable(settings.report);
  duet::Options checked = options;
  if (settings.workers > 0) checked.world_size = settings.workers;
  checked.validate();
  return std::nullopt;
}

}  // namespace samples
