#pragma once

#include <vector>

#include "dashboard/data/series.h"
#include "dashboard/data/time_view.h"

namespace duet::dashboard {

/// What of a series falls into one column of pixels: where its line enters, how far it goes, where it leaves.
struct Column {
  int column = 0;
  double first = 0.0;
  double last = 0.0;
  double min = 0.0;
  double max = 0.0;
  bool operator==(const Column&) const = default;
};

/// A series as at most `columns` columns, ascending; columns without samples are left out. The nearest sample
/// on either side of the range comes too, as column −1 and `columns`, so that lines run to the edges. No
/// sample is lost: a spike of one sample is in its column's min or max, however many share the column. Costs
/// O(columns · log samples) when zoomed out.
std::vector<Column> reduce(const Series& series, const TimeRange& range, int columns);

/// The same into a buffer that is used again.
void reduce(const Series& series, const TimeRange& range, int columns, std::vector<Column>& into);

}  // namespace duet::dashboard
