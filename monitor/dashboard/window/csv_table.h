#pragma once

#include <QString>
#include <iosfwd>
#include <vector>

#include "dashboard/data/series_store.h"
#include "dashboard/data/time_view.h"

namespace duet::dashboard {

/// A copy of all samples of all workers and of the run within a range of time, to be written while the store
/// goes on. Made on the GUI thread, some ten milliseconds for all that the store may hold; written by any.
class CsvTable {
 public:
  CsvTable(const SeriesStore& store, const TimeRange& range);

  /// One sample a line: time_seconds (Unix), elapsed_seconds, metric, rank (empty: the run's), value. By
  /// metric, rank, time.
  void write(std::ostream& out) const;
  /// The whole file or none. False, and *reason: it cannot be written.
  bool save(const QString& path, QString* reason) const;

 private:
  struct Rows {
    const char* metric;
    int rank;  ///< < 0: the run's
    std::vector<Sample> samples;
    std::vector<double> marks;
  };
  double origin_;
  std::vector<Rows> rows_;
};

}  // namespace duet::dashboard
