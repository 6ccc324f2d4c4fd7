#include "progress.h"

#include <algorithm>

namespace samples {

double Progress::samples(std::uint64_t known, std::uint64_t own, int members) {
  if (known != known_) {
    known_ = known;
    own_when_heard_ = own;
  }
  const auto since = static_cast<double>(own - own_when_heard_) * std::max(members, 1);
  estimate_ = std::max(estimate_, static_cast<double>(known) + since);
  return estimate_;
}

}  // namespace samples
