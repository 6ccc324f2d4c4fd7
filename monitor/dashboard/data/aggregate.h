#pragma once

#include <cstddef>
#include <vector>

#include "dashboard/data/series.h"

namespace duet::dashboard {

/// Mean, smallest and largest over all workers of something that each of them reports at moments of its own:
/// once per interval, from the newest value of everyone who was heard within `reach` seconds.
class Aggregate {
 public:
  Aggregate(double interval, double reach, std::size_t capacity);

  /// Times must not decrease; values that are not finite count for nobody.
  void add(double time, int rank, double value);
  /// Closes what is over by `time`, also when nothing came.
  void advance(double time);

  Series mean;
  Series low;
  Series high;

 private:
  struct Newest {
    double time = 0.0;
    double value = 0.0;
    bool known = false;
  };
  void close(double time);

  double interval_;
  double reach_;
  double due_ = 0.0;
  bool started_ = false;
  std::vector<Newest> newest_;
};

}  // namespace duet::dashboard
