#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "duet/options.h"
#include "schedule.h"

namespace samples {

/// What the command line of duet-train says; defaults as for the data set.
struct Settings {
  duet::Options options;  ///< the environment's, with the flags on top

  std::string dataset = "digits";
  std::filesystem::path data;
  double epochs = 0.0;  ///< of the whole run: samples of all workers ÷ size of the training set
  std::size_t batch_size = 0;
  std::string optimizer = "sgd";
  double lr = 0.0;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  bool constant_lr = false;
  int statistics_every = 0;
  double dirichlet = 0.0;        ///< the workers' data differ, by this alpha (partition.h); 0: all have all
  std::size_t image_side = 224;  ///< imagenet: of what the network sees
  std::size_t context = 64;      ///< text: characters

  double step_time = 0.0;  ///< seconds that a step takes at least
  int straggler = -1;      ///< a rank whose steps take straggler_factor times as long; -1: nobody's
  double straggler_factor = 1.0;

  std::filesystem::path report;  ///< empty: none
  bool progress = false;
  int workers =
      0;  ///< as threads of this process; 0: this process is one worker of a run that a launcher started
  int threads = 1;  ///< that LibTorch may use in each worker

  Schedule schedule(int world_size) const;
};

/// Parses the command line. An exit code: stop with that (help was shown, or the line was wrong and stderr
/// says why). Throws ConfigurationError for what the environment or a flag says wrong.
std::optional<int> parse(int argc, const char* const* argv, Settings& settings);

}  // namespace samples
