#include "worker_judge.h"

#include <algorithm>

namespace duet::observer {
namespace {

/// Somebody at the border would be a straggler every other second.
constexpr double kRecovered = 1.15;
/// The first step takes its time: data is loaded, kernels are compiled.
constexpr double kFirstStep = 6.0;
constexpr double kPause = 3.0;       ///< mean steps
constexpr double kLeastPause = 0.5;  ///< seconds
constexpr double kSettled = 6.0;     ///< seconds: longer than rates look back

}  // namespace

std::optional<double> median_pace(const Snapshot& snapshot) {
  std::vector<double> paces;
  for (const Worker& worker : snapshot.workers) {
    const bool steps = worker.state == WorkerState::kRunning || worker.state == WorkerState::kStraggling;
    if (steps && worker.steps_per_second && *worker.steps_per_second > 0.0)
      paces.push_back(*worker.steps_per_second);
  }
  if (paces.empty()) return std::nullopt;
  const auto middle = paces.begin() + static_cast<std::ptrdiff_t>(paces.size() / 2);
  std::nth_element(paces.begin(), middle, paces.end());
  return *middle;
}

WorkerState judge(const Snapshot& snapshot, const Worker& worker, const WorkerHints& hints,
                  std::optional<double> median_pace, const DiagnosisLimits& limits) {
  if (hints.said_finished) return WorkerState::kFinished;
  if (!worker.last_heard) return hints.said_gone ? WorkerState::kGone : WorkerState::kExpected;
  if (snapshot.time - *worker.last_heard > limits.gone_after) return WorkerState::kGone;

  double patience = std::max(limits.stalled_after, limits.stalled_steps * hints.mean_step);
  if (hints.mean_step == 0.0) patience = kFirstStep * limits.stalled_after;
  const double moved = worker.last_step.value_or(*worker.first_heard);
  if (snapshot.time - moved > patience) return WorkerState::kStalled;

  if (median_pace && worker.steps_per_second) {
    const bool already = worker.state == WorkerState::kStraggling;
    const double border = limits.straggler_share * *median_pace * (already ? kRecovered : 1.0);
    // Whoever stops altogether is about to stall, and right after a pause a rate is still low: neither
    // straggles.
    const bool moves = snapshot.time - moved <= std::max(kLeastPause, kPause * hints.mean_step);
    const bool settled = worker.running_since && snapshot.time - *worker.running_since >= kSettled;
    if (*worker.steps_per_second < border && (already || (moves && settled))) return WorkerState::kStraggling;
  }
  return WorkerState::kRunning;
}

}  // namespace duet::observer
