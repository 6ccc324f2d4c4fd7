#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "duet/observer/source.h"

namespace duet::observer {

/// From the thread that receives to the one that draws. Bounded in bytes: the oldest go, and are counted. The
/// two threads share nothing else of the frames.
class Inbox {
 public:
  explicit Inbox(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  void put(Arrival arrival);
  /// True: there is more.
  bool take(std::size_t most, std::vector<Arrival>& into);

  struct Totals {
    std::uint64_t frames = 0;  ///< taken
    std::uint64_t bytes = 0;
    std::uint64_t dropped = 0;
  };
  Totals totals() const;

 private:
  /// What a frame costs besides its bytes.
  static constexpr std::size_t kOverhead = 64;

  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::deque<Arrival> waiting_;
  std::size_t bytes_ = 0;
  Totals totals_;
};

}  // namespace duet::observer
