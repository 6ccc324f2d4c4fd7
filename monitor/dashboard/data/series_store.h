#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "dashboard/data/aggregate.h"
#include "dashboard/data/series.h"
#include "dashboard/data/time_view.h"
#include "duet/observer/snapshot.h"

namespace duet::dashboard {

struct StoreOptions {
  double buffer_seconds = 3600.0;
  /// Of all series together, 16 bytes each: beyond, each series keeps fewer.
  std::size_t most_points = 4'000'000;
};

/// All that the time plots draw, kept for buffer_seconds and within most_points. Its times never run
/// backwards: when the run's clock is set back, it goes on from where it was (and says how often that was).
class SeriesStore {
 public:
  struct Rank {
    Series distance;
    Series loss;
    Series pairings;
    explicit Rank(std::size_t capacity) : distance(capacity), loss(capacity), pairings(capacity) {}
  };

  explicit SeriesStore(StoreOptions options = {});

  /// Takes what came; begins anew where the update says so.
  void apply(const observer::Snapshot& snapshot, const observer::Update& update);
  /// Time passes: the extent grows, what is too old goes.
  void advance(const observer::Snapshot& snapshot);
  void clear();

  int ranks() const { return static_cast<int>(ranks_.size()); }
  const Rank& rank(int rank) const { return ranks_[static_cast<std::size_t>(rank)]; }
  const Series& consensus_mean() const { return consensus_mean_; }
  const Series& consensus_max() const { return consensus_max_; }
  const Series& consensus_min() const { return consensus_min_; }
  const Aggregate& loss() const { return loss_; }
  const Aggregate& pairings() const { return pairings_; }
  const Aggregate& target() const { return target_; }

  TimeRange extent() const;
  /// Where the time axis begins to count: when the run was started, or first seen.
  double origin() const { return origin_.value_or(0.0); }
  /// Changes when everything began anew: pointers to series of a rank are void.
  std::uint64_t generation() const { return generation_; }
  std::uint64_t points() const;
  std::uint64_t dropped() const;
  std::uint64_t clock_jumps() const { return clock_jumps_; }
  const StoreOptions& options() const { return options_; }

 private:
  template <typename Visit>
  void each(const Visit& visit);
  template <typename Visit>
  void each(const Visit& visit) const;
  Rank& at(int rank);
  void set_now(double time);
  double shown_time(double time) const;
  void fit_capacity();

  StoreOptions options_;
  std::size_t capacity_;
  // A deque: growing moves nobody, plots hold pointers.
  std::deque<Rank> ranks_;
  Series consensus_mean_;
  Series consensus_max_;
  Series consensus_min_;
  Aggregate loss_;
  Aggregate pairings_;
  Aggregate target_;
  std::optional<double> origin_;
  std::optional<double> first_;
  double now_ = 0.0;    ///< on the plots' time line
  double shift_ = 0.0;  ///< the plots' time line − the run's clock
  std::optional<double> run_now_;
  double swept_ = 0.0;
  std::uint64_t generation_ = 0;
  std::uint64_t clock_jumps_ = 0;
};

}  // namespace duet::dashboard
