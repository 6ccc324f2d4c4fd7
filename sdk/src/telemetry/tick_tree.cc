#include "telemetry/tick_tree.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <utility>

#include "telemetry/sketch.h"

namespace duet::telemetry {
namespace {

// A peer whose wall clock is off may name any tick; what it can make us remember is bounded.
constexpr std::size_t kMostUnderWay = 64;
constexpr std::size_t kMostRemembered = 256;

// ‖a/a_count − b/b_count‖²
double squared_distance_of_means(const std::vector<double>& a, double a_count, const std::vector<double>& b,
                                 double b_count) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] / a_count - b[i] / b_count;
    sum += difference * difference;
  }
  return sum;
}

void merge(control::TickSums& into, const control::TickSums& part) {
  if (into.members == 0) {
    into = part;
    return;
  }
  const auto a = static_cast<double>(into.members);
  const auto b = static_cast<double>(part.members);
  into.squared_deviations +=
      part.squared_deviations + squared_distance_of_means(into.sketch, a, part.sketch, b) * (a * b / (a + b));
  for (std::size_t i = 0; i < kSketchSize; ++i)
    into.sketch[i] += part.sketch[i];
  into.members += part.members;
  into.steps += part.steps;
  into.samples += part.samples;
  into.meeting_ends += part.meeting_ends;
  into.losses += part.losses;
  into.loss_sum += part.loss_sum;
}

}  // namespace

TickTree::TickTree(double patience) : patience_(patience) {}

void TickTree::set_tree(const membership::Tree& tree, int self, std::uint64_t live_hash) {
  while (!waves_.empty())
    drop(waves_.begin());
  tree_ = tree;
  self_ = self;
  live_hash_ = live_hash;
}

void TickTree::on_own(double now, control::TickSums own) {
  own.tree = live_hash_;
  own.members = 1;
  own.squared_deviations = 0.0;
  if (!fits(own)) return;
  Wave* const wave = find_or_begin(now, own.tick);
  if (wave == nullptr || !wave->own.empty()) return;
  wave->own = own.sketch;
  merge(wave->sums, own);
  on_part(own.tick, *wave);
}

void TickTree::on_up(double now, int from, const control::TickUp& up) {
  if (std::find(tree_.children.begin(), tree_.children.end(), from) == tree_.children.end()) return;
  if (from == self_ || !fits(up.sums)) return;
  Wave* const wave = find_or_begin(now, up.sums.tick);
  if (wave == nullptr || !wave->children.insert(from).second) return;
  merge(wave->sums, up.sums);
  on_part(up.sums.tick, *wave);
}

void TickTree::on_down(double now, int from, const control::TickDown& down) {
  if (tree_.parent < 0 || from != tree_.parent || !fits(down.sums)) return;
  on_time(now);
  const auto wave = waves_.find(down.sums.tick);
  // Without this worker's part in it, it is no total of ours.
  if (wave == waves_.end() || !wave->second.sent_up) return;
  if (down.sums.members != static_cast<std::uint64_t>(tree_.size)) {
    drop(wave);
    return;
  }
  finish(wave->first, down.sums);
}

void TickTree::on_time(double now) {
  for (auto wave = waves_.begin(); wave != waves_.end();) {
    const auto next = std::next(wave);
    if (now >= wave->second.deadline) drop(wave);
    wave = next;
  }
}

std::vector<TickTree::Outgoing> TickTree::take_outgoing() {
  return std::exchange(outgoing_, {});
}

std::vector<RunStatus> TickTree::take_completed() {
  return std::exchange(completed_, {});
}

bool TickTree::fits(const control::TickSums& sums) const {
  return sums.tick != 0 && sums.tree == live_hash_ && sums.members != 0 &&
         sums.members <= static_cast<std::uint64_t>(tree_.size) && sums.losses <= sums.members &&
         sums.sketch.size() == kSketchSize && !(sums.squared_deviations < 0.0);
}

// Null: this tick is over.
TickTree::Wave* TickTree::find_or_begin(double now, std::uint64_t tick) {
  on_time(now);
  if (tick <= closed_below_ || closed_.contains(tick)) return nullptr;
  const auto [wave, begun] = waves_.try_emplace(tick);
  if (begun) {
    wave->second.deadline = now + patience_;
    if (waves_.size() > kMostUnderWay) {
      const bool itself = wave == waves_.begin();
      drop(waves_.begin());
      if (itself) return nullptr;
    }
  }
  return &wave->second;
}

void TickTree::on_part(std::uint64_t tick, Wave& wave) {
  if (wave.sent_up || wave.own.empty() || wave.children.size() != tree_.children.size()) return;
  if (tree_.parent >= 0) {
    wave.sent_up = true;
    outgoing_.push_back({tree_.parent, control::TickUp{wave.sums}});
    return;
  }
  // Everyone's children reported, and still it is not everyone: the trees differ although their members do
  // not.
  if (wave.sums.members != static_cast<std::uint64_t>(tree_.size)) {
    drop(waves_.find(tick));
    return;
  }
  finish(tick, control::TickSums(wave.sums));
}

void TickTree::finish(std::uint64_t tick, const control::TickSums& total) {
  for (const int child : tree_.children)
    outgoing_.push_back({child, control::TickDown{total}});
  const auto members = static_cast<double>(total.members);
  RunStatus status;
  status.tick = tick;
  status.members = static_cast<int>(total.members);
  status.consensus_distance = std::sqrt(total.squared_deviations / members);
  status.loss = total.losses > 0 ? total.loss_sum / static_cast<double>(total.losses)
                                 : std::numeric_limits<double>::quiet_NaN();
  status.steps = total.steps;
  status.samples = total.samples;
  status.meetings = total.meeting_ends / 2;
  const auto wave = waves_.find(tick);
  status.distance_to_mean =
      std::sqrt(squared_distance_of_means(wave->second.own, 1.0, total.sketch, members));
  completed_.push_back(status);
  while (waves_.begin()->first != tick)
    drop(waves_.begin());
  waves_.erase(tick);
  // Nothing older may follow: who reads the status sees ticks in ascending order.
  closed_below_ = std::max(closed_below_, tick);
  closed_.erase(closed_.begin(), closed_.upper_bound(closed_below_));
}

void TickTree::drop(Waves::iterator wave) {
  ++broken_;
  close(wave->first);
  waves_.erase(wave);
}

// Parts of it that are still on their way must not begin it anew.
void TickTree::close(std::uint64_t tick) {
  if (tick <= closed_below_) return;
  closed_.insert(tick);
  if (closed_.size() > kMostRemembered) {
    closed_below_ = *closed_.begin();
    closed_.erase(closed_.begin());
  }
}

}  // namespace duet::telemetry
