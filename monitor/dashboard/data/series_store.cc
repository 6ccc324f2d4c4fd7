#include "dashboard/data/series_store.h"

#include <algorithm>
#include <cmath>

namespace duet::dashboard {

namespace {

constexpr double kAggregateInterval = 0.5;
constexpr double kRateReach = 3.0;
/// A trainer may report its loss every hundred steps only.
constexpr double kLossReach = 60.0;
/// Less is jitter between frames, not a clock that was set.
constexpr double kClockJump = 2.0;
/// A tick whose own clock is further off than this is drawn when it arrived.
constexpr double kTickOff = 10.0;
constexpr double kSweep = 1.0;
/// Samples per second that a buffer must hold at least.
constexpr double kExpectedRate = 10.0;
constexpr std::size_t kLeast = 256;

std::size_t for_seconds(double seconds) {
  return std::max(kLeast, static_cast<std::size_t>(std::clamp(seconds, 1.0, 1e7) * kExpectedRate));
}

}  // namespace

SeriesStore::SeriesStore(StoreOptions options)
    : options_(options),
      capacity_(for_seconds(options.buffer_seconds)),
      consensus_mean_(capacity_),
      consensus_max_(capacity_),
      consensus_min_(capacity_),
      loss_(kAggregateInterval, kLossReach, capacity_),
      pairings_(kAggregateInterval, kRateReach, capacity_),
      target_(kAggregateInterval, kRateReach, capacity_) {}

template <typename Visit>
void SeriesStore::each(const Visit& visit) {
  for (Rank& rank : ranks_) {
    visit(rank.distance);
    visit(rank.loss);
    visit(rank.pairings);
  }
  for (Series* series : {&consensus_mean_, &consensus_max_, &consensus_min_})
    visit(*series);
  for (Aggregate* aggregate : {&loss_, &pairings_, &target_}) {
    visit(aggregate->mean);
    visit(aggregate->low);
    visit(aggregate->high);
  }
}

template <typename Visit>
void SeriesStore::each(const Visit& visit) const {
  const_cast<SeriesStore*>(this)->each([&visit](const Series& series) { visit(series); });
}

void SeriesStore::clear() {
  const std::uint64_t generation = generation_;
  const std::uint64_t jumps = clock_jumps_;
  *this = SeriesStore(options_);
  generation_ = generation + 1;
  clock_jumps_ = jumps;
}

SeriesStore::Rank& SeriesStore::at(int rank) {
  if (rank >= ranks()) {
    while (ranks() <= rank)
      ranks_.emplace_back(capacity_);
    fit_capacity();
  }
  return ranks_[static_cast<std::size_t>(rank)];
}

void SeriesStore::fit_capacity() {
  const std::size_t series = ranks_.size() * 3 + 12;
  const std::size_t fair = std::max(kLeast, options_.most_points / series);
  if (fair >= capacity_) return;
  capacity_ = fair;
  each([this](Series& one) { one.set_capacity(capacity_); });
}

void SeriesStore::set_now(double time) {
  if (!std::isfinite(time) || time <= 0) return;
  if (run_now_ && time < *run_now_ - kClockJump) {
    // Set back: the plots go on from where they are.
    shift_ += *run_now_ - time;
    ++clock_jumps_;
  }
  run_now_ = time;
  now_ = std::max(now_, time + shift_);
  if (!first_) first_ = now_;
}

double SeriesStore::shown_time(double time) const {
  return std::min(time + shift_, now_);
}

void SeriesStore::apply(const observer::Snapshot& snapshot, const observer::Update& update) {
  if (update.restarted) clear();
  set_now(snapshot.time);
  for (const observer::WorkerSample& sample : update.worker_samples) {
    if (sample.rank < 0) continue;
    const double time = shown_time(sample.time);
    if (!first_ || time < *first_) first_ = time;
    Rank& rank = at(sample.rank);
    if (sample.loss) {
      rank.loss.append(time, *sample.loss);
      loss_.add(time, sample.rank, *sample.loss);
    }
    if (sample.pairings_per_second) {
      rank.pairings.append(time, *sample.pairings_per_second);
      pairings_.add(time, sample.rank, *sample.pairings_per_second);
    }
    if (sample.target_pairings_per_second) target_.add(time, sample.rank, *sample.target_pairings_per_second);
  }
  // What else came now tells when this was: after a jump in a recording that is long before the snapshot's
  // time.
  const double arrived = update.worker_samples.empty() ? snapshot.time : update.worker_samples.back().time;
  for (const observer::ConsensusSample& tick : update.consensus) {
    const double time = shown_time(std::abs(tick.time - arrived) > kTickOff ? arrived : tick.time);
    if (!first_ || time < *first_) first_ = time;
    consensus_mean_.append(time, tick.mean);
    consensus_max_.append(time, tick.max);
    double least = HUGE_VAL;
    for (const observer::RankDistance& worker : tick.workers) {
      if (worker.rank < 0) continue;
      at(worker.rank).distance.append(time, worker.distance);
      if (std::isfinite(worker.distance)) least = std::min(least, worker.distance);
    }
    if (std::isfinite(least)) consensus_min_.append(time, least);
  }
  if (!origin_ && first_) {
    const std::optional<double> started = snapshot.run.started;
    origin_ = started && *started + shift_ <= *first_ && *started > 0 ? *started + shift_ : *first_;
  }
  advance(snapshot);
}

void SeriesStore::advance(const observer::Snapshot& snapshot) {
  set_now(snapshot.time);
  if (now_ - swept_ < kSweep) return;
  swept_ = now_;
  const double oldest = now_ - options_.buffer_seconds;
  each([oldest](Series& series) { series.forget_before(oldest); });
  if (first_) first_ = std::max(*first_, oldest);
}

TimeRange SeriesStore::extent() const {
  if (!first_) return {0.0, 0.0};
  return {std::min(*first_, now_), now_};
}

std::uint64_t SeriesStore::points() const {
  std::uint64_t sum = 0;
  each([&sum](const Series& series) { sum += series.size(); });
  return sum;
}

std::uint64_t SeriesStore::dropped() const {
  std::uint64_t sum = 0;
  each([&sum](const Series& series) { sum += series.dropped(); });
  return sum;
}

}  // namespace duet::dashboard
