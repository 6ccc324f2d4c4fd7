#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace duet::telemetry {

/// Upper bounds of the buckets that all histograms of durations have, in seconds; one more bucket is for
/// what is longer.
inline constexpr std::array<double, 12> kDurationBounds = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2,
                                                           0.1,  0.3,  1.0,  3.0,  10.0, 30.0};
inline constexpr std::size_t kDurationBuckets = kDurationBounds.size() + 1;

/// The bucket of a duration; what is no number goes where it shows, into the last one.
constexpr std::size_t bucket_of(double seconds) {
  std::size_t bucket = 0;
  while (bucket < kDurationBounds.size() && !(seconds <= kDurationBounds[bucket]))
    ++bucket;
  return bucket;
}

/// How often a duration fell into each bucket (not cumulative), and all of them together.
struct Histogram {
  std::array<std::uint64_t, kDurationBuckets> counts{};
  double sum = 0.0;  ///< seconds

  std::uint64_t count() const {
    std::uint64_t total = 0;
    for (const auto bucket : counts)
      total += bucket;
    return total;
  }
  bool operator==(const Histogram&) const = default;
};

}  // namespace duet::telemetry
