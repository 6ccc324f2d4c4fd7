#pragma once

#include <string>
#include <vector>

#include "duet/observer/snapshot.h"
#include "text.h"

/// The table of workers: which columns there are, who is shown, and in what order. Pure.
namespace duet::top {

enum class Column : int {
  kRank,
  kHost,
  kState,
  kSteps,
  kStepRate,
  kPairings,
  kTarget,
  kWaiting,
  kSent,
  kReceived,
  kDistance,
  kLoss,
  kAge,
};
constexpr int kColumns = 13;

struct ColumnInfo {
  const char* title;
  std::size_t width;
  bool right;     ///< numbers are flush right
  bool greatest;  ///< sorted by it, the greatest comes first
  int rank;       ///< in a narrow window those with the highest go first
  const char* help;
};
const ColumnInfo& info(Column column);

std::string cell(const observer::Worker& worker, Column column, double now);

/// Ranks of those whose rank, host or state matches `filter` ("" shows all; "!text" all others), sorted. What
/// is not known comes last, ties by rank.
std::vector<int> rows(const observer::Snapshot& snapshot, Column sorted_by, bool inverted,
                      const std::string& filter);

/// As many of the columns as fit, in their order; always with rank, state and the sorted one.
std::vector<Column> shown_columns(std::size_t width, Column sorted_by);

Line table_head(const std::vector<Column>& columns, Column sorted_by, bool inverted);
Line table_row(const observer::Worker& worker, const std::vector<Column>& columns, double now, bool selected);

}  // namespace duet::top
