#pragma once

#include <cstdint>

namespace samples {

/// How many samples all workers have taken, between two times that it is told: the others are taken to go on
/// as fast as this worker does. Without it every drop of the learning rate would come late, and later on some
/// workers than on others. Pure; never falls.
class Progress {
 public:
  /// known: the run's samples, as last heard; own: this worker's; members: of the run. Returns the estimate
  /// of the run's.
  double samples(std::uint64_t known, std::uint64_t own, int members);

 private:
  std::uint64_t known_ = 0;
  std::uint64_t own_when_heard_ = 0;
  double estimate_ = 0.0;
};

}  // namespace samples
