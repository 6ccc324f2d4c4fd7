#include "worker/tick_driver.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "support/wall_clock.h"

namespace duet::worker {
namespace {

/// Blocks sketched per turn of the communication loop: a meeting under way waits for no more than these.
constexpr std::size_t kBlocksPerTurn = 4;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TickDriver::TickDriver(exchange::Replica& replica, const Options& options, Postbox& postbox, Shared& shared)
    : options_(options),
      postbox_(postbox),
      shared_(shared),
      tree_(patience()),
      sketch_(replica, sketch_seed(options.seed), PositionSketch::Side::kCommunication) {}

// Long enough for a deep tree on a busy machine, short enough that broken ticks do not pile up.
double TickDriver::patience() const {
  return std::max(2.0, 5.0 * options_.telemetry_interval);
}

void TickDriver::on_up(double now, int from, const control::TickUp& up) {
  // A child whose wall clock is far ahead would have us give up all ticks until then.
  if (options_.telemetry_interval <= 0) return;
  const double ahead = static_cast<double>(up.sums.tick) - static_cast<double>(current_tick());
  if (ahead * options_.telemetry_interval <= patience()) tree_.on_up(now, from, up);
}

void TickDriver::set_tree(const membership::Tree& tree, std::uint64_t live_hash) {
  tree_.set_tree(tree, options_.rank, live_hash);
}

void TickDriver::pause(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  sampling_ = false;
  last_tick_ = current_tick();
}

std::uint64_t TickDriver::current_tick() const {
  if (options_.telemetry_interval <= 0) return 0;
  return static_cast<std::uint64_t>(support::wall_seconds() / options_.telemetry_interval);
}

double TickDriver::next_deadline(double now) const {
  if (options_.telemetry_interval <= 0 || paused_) return kInfinity;
  if (sampling_) return now + 0.001;
  const double wall = support::wall_seconds();
  const double next = static_cast<double>(current_tick() + 1) * options_.telemetry_interval;
  return now + std::max(next - wall, 0.0) + 1e-4;
}

bool TickDriver::advance(double now) {
  if (options_.telemetry_interval <= 0) return false;
  bool more = false;
  if (!paused_) {
    begin_sample(now);
    const std::size_t block_before = sketch_.added();
    if (sampling_ && sample()) {
      sampling_ = false;
      schedule_.took((now - began_) / options_.telemetry_interval);
      control::TickSums own;
      own.tick = sampled_tick_;
      own.steps = shared_.steps.load(std::memory_order_relaxed);
      own.samples = shared_.samples.load(std::memory_order_relaxed);
      own.meeting_ends = meetings_;
      if (shared_.losses.load(std::memory_order_acquire) > 0) {
        own.losses = 1;
        own.loss_sum = shared_.loss.load(std::memory_order_relaxed);
      }
      own.sketch = sketch_.values();
      finite_ = std::all_of(own.sketch.begin(), own.sketch.end(),
                            [](double value) { return std::isfinite(value); });
      tree_.on_own(now, std::move(own));
    }
    // Without the gate, or a device's sums, there is nothing to do but to look again soon (next_deadline()).
    more = sampling_ && sketch_.added() != block_before;
  }
  tree_.on_time(now);
  for (auto& outgoing : tree_.take_outgoing())
    postbox_.send(outgoing.peer, std::move(outgoing.body));
  publish();
  return more;
}

void TickDriver::begin_sample(double now) {
  const std::uint64_t tick = current_tick();
  if (tick <= last_tick_) return;
  last_tick_ = tick;
  if (sampling_ && now - began_ > patience()) {
    // Nobody waits for it any more.
    sampling_ = false;
    schedule_.took((now - began_) / options_.telemetry_interval);
  }
  if (sampling_ || !schedule_.due(tick)) return;
  sampling_ = true;
  sampled_tick_ = tick;
  began_ = now;
  sketch_.reset();
}

bool TickDriver::sample() {
  return sketch_.add(kBlocksPerTurn, 0.0) && sketch_.all_added() && sketch_.here();
}

void TickDriver::publish() {
  auto completed = tree_.take_completed();
  if (completed.empty() && tree_.broken() == told_broken_) return;
  told_broken_ = tree_.broken();
  const std::lock_guard lock(shared_.mutex);
  shared_.statistics.broken_ticks = tree_.broken();
  if (completed.empty()) return;
  shared_.status = completed.back();
  for (const RunStatus& status : completed)
    completed_.push_back(status);
  if (completed_.size() > kMostKept)
    completed_.erase(completed_.begin(), completed_.end() - static_cast<std::ptrdiff_t>(kMostKept));
  raise(shared_.run_samples, shared_.status.samples);
  raise(shared_.run_steps, shared_.status.steps);
}

std::vector<RunStatus> TickDriver::take_completed() {
  return std::exchange(completed_, {});
}

}  // namespace duet::worker
