#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "consensus_estimator.h"

namespace duet::observer {

/// Brings together what the workers report about the same tick. A tick is closed when all of its members have
/// reported, or `patience` seconds after its first report; in order, each once. A tick that nobody reports is
/// missing: it is counted, never guessed. Pure: time is handed in.
class TickAligner {
 public:
  explicit TickAligner(double patience) : patience_(patience) {}

  /// False: the tick is closed already, or the rank has reported it.
  bool add(double now, const TickReport& report);
  /// What is closed by now, by tick.
  std::vector<ConsensusSample> take(double now);
  std::uint64_t missed() const { return missed_; }
  std::uint64_t late() const { return late_; }  ///< reports that came after their tick was closed

 private:
  struct Open {
    double since = 0.0;
    std::vector<TickReport> reports;
  };
  // One worker's wall clock may name any tick; a tick so far ahead that one worker alone names is not
  // believed.
  static constexpr std::uint64_t kFarAhead = 600;
  // A gap that is longer is not a broken tree, but a clock that was set or a pause of the observer.
  static constexpr std::uint64_t kLongestGap = 3600;
  static constexpr std::uint64_t kFarBehind = 60;
  static constexpr std::size_t kMostOpen = 64;
  static constexpr double kClockSetBack = 10.0;  ///< seconds with late reports only

  void close(const Open& open, std::vector<ConsensusSample>& into);

  double patience_;
  std::map<std::uint64_t, Open> open_;
  std::optional<std::uint64_t> last_;  ///< closed
  double last_on_time_ = 0.0;
  std::uint64_t missed_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace duet::observer
