#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "duet/status.h"

namespace duet::telemetry {

using Histogram = DurationHistogram;
inline constexpr auto kDurationBounds = Histogram::kBounds;
inline constexpr std::size_t kDurationBuckets = Histogram::kBuckets;

/// The bucket of a duration; what is no number goes where it shows, into the last one.
constexpr std::size_t bucket_of(double seconds) {
  std::size_t bucket = 0;
  while (bucket < kDurationBounds.size() && !(seconds <= kDurationBounds[bucket]))
    ++bucket;
  return bucket;
}

inline void record(Histogram& histogram, double seconds) {
  ++histogram.counts[bucket_of(seconds)];
  histogram.sum += seconds;
}

/// One that a single thread writes and any may read, without a lock, a system call or an allocation, and
/// (there is only one writer) without a locked instruction.
class AtomicHistogram {
 public:
  void record(double seconds) {
    auto& count = counts_[bucket_of(seconds)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    sum_.store(sum_.load(std::memory_order_relaxed) + seconds, std::memory_order_relaxed);
  }
  /// While it is written to, sum and counts may differ by the durations that were just recorded.
  Histogram copy() const {
    Histogram histogram;
    for (std::size_t i = 0; i < kDurationBuckets; ++i)
      histogram.counts[i] = counts_[i].load(std::memory_order_relaxed);
    histogram.sum = sum_.load(std::memory_order_relaxed);
    return histogram;
  }

 private:
  std::array<std::atomic<std::uint64_t>, kDurationBuckets> counts_{};
  std::atomic<double> sum_{0.0};
};

}  // namespace duet::telemetry
