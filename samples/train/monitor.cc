#include "monitor.h"

#include <algorithm>
#include <cstdio>

namespace samples {

Monitor::Monitor(duet::torch::Trainer& trainer, bool print_progress)
    : trainer_(trainer), print_progress_(print_progress), start_(std::chrono::steady_clock::now()) {}

double Monitor::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Monitor::look() {
  const double now = seconds();
  const duet::RunStatus status = trainer_.status();
  // A worker alone has no ticks to go by.
  const bool alone = trainer_.worker().world_size() == 1;
  const double interval = std::max(trainer_.worker().options().telemetry_interval, 0.01);
  if (alone ? now - last_record_ >= interval : status.tick != last_tick_) record(status, now);
  if (print_progress_ && now - last_print_ >= 1.0) print(status, now);
}

void Monitor::record(const duet::RunStatus& status, double now) {
  last_tick_ = status.tick;
  last_record_ = now;
  trace_.push_back({now, status.steps, status.loss, status.consensus_distance});
}

void Monitor::print(const duet::RunStatus& status, double now) {
  const double meetings_per_second =
      static_cast<double>(status.meetings - std::min(status.meetings, last_meetings_)) / (now - last_print_);
  last_print_ = now;
  last_meetings_ = status.meetings;
  if (!lowest_live_rank()) return;
  const auto goal = static_cast<double>(std::max<std::uint64_t>(trainer_.worker().options().sample_goal, 1));
  std::printf("%6.1f s  %3.0f %%  steps %8llu  loss %8.4f  consensus distance %8.4f  %6.0f meetings/s\n", now,
              100.0 * static_cast<double>(status.samples) / goal,
              static_cast<unsigned long long>(status.steps), status.loss, status.consensus_distance,
              meetings_per_second);
  std::fflush(stdout);
}

bool Monitor::lowest_live_rank() const {
  const auto lost = trainer_.worker().lost();
  for (int rank = 0; rank < trainer_.worker().rank(); ++rank) {
    if (std::find(lost.begin(), lost.end(), rank) == lost.end()) return false;
  }
  return true;
}

}  // namespace samples
