#pragma once

#include <memory>

#include "settings.h"
#include "task.h"

namespace samples {

/// The data set that the settings name, and its network. Throws ConfigurationError.
std::shared_ptr<const Task> load_task(const Settings& settings);

/// One worker, from joining to the report (which the lowest surviving rank writes). `options`: who this
/// worker is. Returns the exit code: 0, or 3 when workers were lost. Throws what duet::torch::Trainer throws.
/// Several may run in one process, each in a thread of its own.
int train(const Settings& settings, const duet::Options& options, const Task& task);

/// Settings::workers of them as threads of this process. The largest exit code; an exception of any of them
/// once all have ended. Throws ConfigurationError where LibTorch's BLAS is none for several threads (blas.h).
int train_in_threads(const Settings& settings, const Task& task);

}  // namespace samples
