#include "dashboard/plot/column_reducer.h"

#include <algorithm>
#include <cmath>
#include <ranges>

namespace duet::dashboard {

namespace {

/// Up to this many samples per column it is quicker to look at each.
constexpr std::size_t kWalk = 16;

Column single(int column, double value) {
  return {column, value, value, value, value};
}

/// series.lower_bound(time) within [first, end], for samples that come about evenly: begins at `guess`, and
/// goes on in strides that double, so that what was guessed well costs a step or two.
std::size_t seam(const Series& series, double time, std::size_t guess, std::size_t first, std::size_t end) {
  guess = std::clamp(guess, first, end);
  const auto before = [&](std::size_t index) { return series.at(index).time < time; };
  // The seam is always in [low, high].
  std::size_t low = first;
  std::size_t high = end;
  std::size_t stride = 1;
  if (guess < end && before(guess)) {
    low = guess + 1;
    while (low < end && stride < end - low && before(low + stride - 1)) {
      low += stride;
      stride *= 2;
    }
    high = std::min(end, low + stride);
  } else {
    high = guess;
    while (high > first && stride < high - first && !before(high - stride)) {
      high -= stride;
      stride *= 2;
    }
    low = high - std::min(stride, high - first);
  }
  const auto between = std::views::iota(low, high);
  return low + static_cast<std::size_t>(std::ranges::partition_point(between, before) - between.begin());
}

}  // namespace

std::vector<Column> reduce(const Series& series, const TimeRange& range, int columns) {
  std::vector<Column> result;
  reduce(series, range, columns, result);
  return result;
}

void reduce(const Series& series, const TimeRange& range, int columns, std::vector<Column>& into) {
  into.clear();
  if (series.empty() || columns <= 0 || !(range.length() > 0)) return;
  const std::size_t begin = series.lower_bound(range.from);
  // The last column has its right edge too.
  const std::size_t end = series.lower_bound(std::nextafter(range.to, HUGE_VAL), begin);
  if (begin > 0) into.push_back(single(-1, series.at(begin - 1).value));
  const double per_second = columns / range.length();
  const auto column_of = [&](double time) {
    return std::clamp(static_cast<int>((time - range.from) * per_second), 0, columns - 1);
  };

  if (end - begin <= kWalk * static_cast<std::size_t>(columns)) {
    for (std::size_t k = begin; k < end; ++k) {
      const Sample& sample = series.at(k);
      const int column = column_of(sample.time);
      if (into.empty() || into.back().column != column) {
        into.push_back(single(column, sample.value));
      } else {
        Column& here = into.back();
        here.last = sample.value;
        here.min = std::min(here.min, sample.value);
        here.max = std::max(here.max, sample.value);
      }
    }
  } else {
    std::size_t at = begin;
    std::size_t count = (end - begin) / static_cast<std::size_t>(columns);  // as the column before had
    std::size_t edge = begin;                                               // where that one really began
    int column = -1;
    while (at < end) {
      column = std::max(column_of(series.at(at).time), column + 1);
      std::size_t next = end;
      if (column < columns - 1) {
        next = seam(series, range.from + (column + 1) / per_second, edge + count, at, end);
        // Where rounding puts a sample on the seam: column_of() decides, as it does for everyone else.
        while (next < end && column_of(series.at(next).time) <= column)
          ++next;
        while (next > at + 1 && column_of(series.at(next - 1).time) > column)
          --next;
        next = std::max(next, at + 1);
        count = next - edge;
        edge = next;
        // Up to an eighth of a pixel early, where that makes the question below cheap.
        if (const std::size_t aligned = series.block_start(next, count); aligned > at) next = aligned;
      }
      const MinMax extremes = series.extremes(at, next);
      into.push_back({column, series.at(at).value, series.at(next - 1).value, extremes.min, extremes.max});
      at = next;
    }
  }
  if (end < series.size()) into.push_back(single(columns, series.at(end).value));
}

}  // namespace duet::dashboard
