#include "table.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <limits>
#include <optional>

namespace duet::top {
namespace {

using observer::Worker;
using observer::WorkerState;

constexpr std::array<ColumnInfo, kColumns> kInfo = {{
    {"RANK", 4, true, false, 0, "rank of the worker"},
    {"HOST", 12, false, false, 9, "where it runs"},
    {"STATE", 10, false, true, 0, "running, straggling, stalled, finished, gone, expected (not heard yet)"},
    {"STEPS", 7, true, true, 6, "optimizer steps that it has made"},
    {"STEP/S", 6, true, true, 1, "steps per second, over the last seconds"},
    {"MEET/S", 6, true, true, 2, "meetings per second that it took part in"},
    {"TARGET", 6, true, true, 7, "meetings per second that it should have at its pace"},
    {"WAIT", 5, true, true, 8, "share of the trainer's time spent waiting"},
    {"OUT/S", 6, true, true, 10, "bytes per second that it sends to the others"},
    {"IN/S", 6, true, true, 11, "bytes per second that it receives"},
    {"DIST", 8, true, true, 3, "distance of its parameters to the mean of all"},
    {"LOSS", 8, true, true, 4, "the last loss that its trainer reported"},
    {"HEARD", 6, true, true, 5, "time since it was last heard"},
}};

std::string lower(std::string text) {
  for (char& each : text)
    each = static_cast<char>(std::tolower(static_cast<unsigned char>(each)));
  return text;
}

std::optional<double> key(const Worker& worker, Column column, double now) {
  switch (column) {
    case Column::kRank:
      return worker.rank;
    case Column::kHost:
      return std::nullopt;  // by text
    case Column::kState:
      return static_cast<double>(worker.state);
    case Column::kSteps:
      return static_cast<double>(worker.counters.steps);
    case Column::kStepRate:
      return worker.steps_per_second;
    case Column::kPairings:
      return worker.pairings_per_second;
    case Column::kTarget:
      return worker.target_pairings_per_second;
    case Column::kWaiting:
      return worker.waiting_share;
    case Column::kSent:
      return worker.sent_bytes_per_second;
    case Column::kReceived:
      return worker.received_bytes_per_second;
    case Column::kDistance:
      return worker.distance_to_mean;
    case Column::kLoss:
      return worker.loss;
    case Column::kAge:
      return worker.heartbeat_age(now);
  }
  return std::nullopt;
}

Style style_of(const Worker& worker) {
  if (!worker.finite) return Style::kBad;
  switch (worker.state) {
    case WorkerState::kGone:
    case WorkerState::kStalled:
      return Style::kBad;
    case WorkerState::kStraggling:
      return Style::kWarning;
    case WorkerState::kExpected:
    case WorkerState::kFinished:
      return Style::kDim;
    case WorkerState::kRunning:
      return Style::kGood;
  }
  return Style::kNormal;
}

bool matches(const Worker& worker, const std::string& filter) {
  const auto has = [&](const std::string& text) { return lower(text).find(filter) != std::string::npos; };
  return std::to_string(worker.rank) == filter || has(worker.host) || has(observer::to_string(worker.state));
}

}  // namespace

const ColumnInfo& info(Column column) {
  return kInfo[static_cast<std::size_t>(column)];
}

std::string cell(const Worker& worker, Column column, double now) {
  switch (column) {
    case Column::kRank:
      return std::to_string(worker.rank);
    case Column::kHost:
      return harmless(worker.host);
    case Column::kState:
      return worker.finite ? observer::to_string(worker.state) : "not finite";
    case Column::kSteps:
      return count(worker.counters.steps);
    case Column::kSent:
      return bytes(worker.sent_bytes_per_second);
    case Column::kReceived:
      return bytes(worker.received_bytes_per_second);
    case Column::kWaiting:
      return percent(worker.waiting_share);
    case Column::kAge:
      return age(worker.heartbeat_age(now));
    default:
      return number(key(worker, column, now));
  }
}

std::vector<int> rows(const observer::Snapshot& snapshot, Column sorted_by, bool inverted,
                      const std::string& filter) {
  const bool others = filter.size() > 1 && filter.front() == '!';
  const std::string wanted = lower(others ? filter.substr(1) : filter);
  std::vector<int> ranks;
  for (const Worker& worker : snapshot.workers)
    if (wanted.empty() || matches(worker, wanted) != others) ranks.push_back(worker.rank);

  const bool descending = info(sorted_by).greatest != inverted;
  const auto worker_of = [&](int rank) -> const Worker& {
    return snapshot.workers[static_cast<std::size_t>(rank)];
  };
  if (sorted_by == Column::kHost) {
    std::stable_sort(ranks.begin(), ranks.end(), [&](int a, int b) {
      return descending ? worker_of(b).host < worker_of(a).host : worker_of(a).host < worker_of(b).host;
    });
    return ranks;
  }
  // What is not finite is worse than any number: it counts as the largest.
  const auto value = [&](int rank) -> std::optional<double> {
    const std::optional<double> known = key(worker_of(rank), sorted_by, snapshot.time);
    return known && std::isnan(*known) ? std::numeric_limits<double>::infinity() : known;
  };
  std::stable_sort(ranks.begin(), ranks.end(), [&](int a, int b) {
    const std::optional<double> one = value(a), other = value(b);
    if (!one || !other) return one.has_value() && !other.has_value();
    return descending ? *one > *other : *one < *other;
  });
  return ranks;
}

std::vector<Column> shown_columns(std::size_t width, Column sorted_by) {
  std::vector<Column> columns;
  std::size_t used = 0;
  for (int i = 0; i < kColumns; ++i) {
    columns.push_back(static_cast<Column>(i));
    used += kInfo[static_cast<std::size_t>(i)].width + 1;
  }
  while (used > width + 1) {
    auto worst = columns.end();
    for (auto it = columns.begin(); it != columns.end(); ++it)
      if (*it != sorted_by && info(*it).rank > 0 &&
          (worst == columns.end() || info(*it).rank > info(*worst).rank))
        worst = it;
    if (worst == columns.end()) break;
    used -= info(*worst).width + 1;
    columns.erase(worst);
  }
  return columns;
}

Line table_head(const std::vector<Column>& columns, Column sorted_by, bool inverted) {
  Line line;
  for (const Column column : columns) {
    const ColumnInfo& about = info(column);
    std::string title = about.title;
    if (column == sorted_by && title.size() < about.width) title += about.greatest != inverted ? "v" : "^";
    line.push_back(
        {fit(title, about.width, about.right) + " ", column == sorted_by ? Style::kSorted : Style::kHeader});
  }
  return line;
}

Line table_row(const Worker& worker, const std::vector<Column>& columns, double now, bool selected) {
  Line line;
  for (const Column column : columns) {
    const ColumnInfo& about = info(column);
    Style style = column == Column::kState ? style_of(worker) : Style::kNormal;
    if (worker.state == WorkerState::kGone && column != Column::kState) style = Style::kDim;
    if (selected) style = Style::kSelected;
    line.push_back({fit(cell(worker, column, now), about.width, about.right) + " ", style});
  }
  return line;
}

}  // namespace duet::top
