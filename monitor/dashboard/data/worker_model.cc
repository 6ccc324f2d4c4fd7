#include "dashboard/data/worker_model.h"

#include <QFont>
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

namespace {

using observer::WorkerState;

constexpr double kTellAges = 1.0;
constexpr std::size_t kMostRanges = 8;

QString unknown() {
  return QStringLiteral("–");
}

QString rate_text(const std::optional<double>& rate) {
  if (!rate) return unknown();
  if (!std::isfinite(*rate)) return value_text(*rate);
  return QString::number(*rate, 'f', std::abs(*rate) < 99.95 ? 2 : 0);
}

QString age_text(double age) {
  if (age < 0.05) return QStringLiteral("0.0 s");
  if (age < 100) return QStringLiteral("%1 s").arg(age, 0, 'f', 1);
  return time_text(age);
}

}  // namespace

WorkerModel::WorkerModel(const Theme& theme, QObject* parent) : QAbstractTableModel(parent), theme_(theme) {}

void WorkerModel::set_theme(const Theme& theme) {
  theme_ = theme;
  if (!rows_.empty()) tell(0, static_cast<int>(rows_.size()) - 1);
}

WorkerModel::Row WorkerModel::row_of(const observer::Worker& worker) {
  Row row;
  row.host = QString::fromStdString(worker.host);
  row.state = worker.state;
  row.finite = worker.finite;
  row.steps = worker.counters.steps;
  row.lives = worker.lives;
  row.steps_per_second = worker.steps_per_second;
  row.pairings_per_second = worker.pairings_per_second;
  row.target = worker.target_pairings_per_second;
  row.waiting = worker.waiting_share;
  if (worker.sent_bytes_per_second || worker.received_bytes_per_second) {
    row.bytes_per_second =
        worker.sent_bytes_per_second.value_or(0) + worker.received_bytes_per_second.value_or(0);
  }
  row.distance = worker.distance_to_mean;
  row.heard = worker.last_heard;
  return row;
}

void WorkerModel::tell(int first, int last) {
  Q_EMIT dataChanged(index(first, 0), index(last, kColumns - 1));
}

void WorkerModel::apply(const observer::Snapshot& snapshot, const observer::Update& update) {
  now_ = snapshot.time;
  const int before = static_cast<int>(rows_.size());
  const int after = static_cast<int>(snapshot.workers.size());
  if (after < before) {
    beginRemoveRows({}, after, before - 1);
    rows_.resize(static_cast<std::size_t>(after));
    endRemoveRows();
  } else if (after > before) {
    beginInsertRows({}, before, after - 1);
    for (int rank = before; rank < after; ++rank)
      rows_.push_back(row_of(snapshot.workers[static_cast<std::size_t>(rank)]));
    endInsertRows();
  }
  // Ranges of neighbouring rows that really differ; after a new beginning all of them are looked at.
  std::vector<std::pair<int, int>> ranges;
  const auto look = [&](int rank) {
    if (rank < 0 || rank >= after) return;
    Row row = row_of(snapshot.workers[static_cast<std::size_t>(rank)]);
    if (row == rows_[static_cast<std::size_t>(rank)]) return;
    rows_[static_cast<std::size_t>(rank)] = std::move(row);
    if (ranges.empty() || rank != ranges.back().second + 1) ranges.emplace_back(rank, rank);
    ranges.back().second = rank;
  };
  if (update.restarted) {
    for (int rank = 0; rank < after; ++rank)
      look(rank);
  } else {
    for (const int rank : update.workers)
      look(rank);
  }
  // A view sorts anew for each range: of many, one that has them all is cheaper.
  if (ranges.size() > kMostRanges) ranges = {{ranges.front().first, ranges.back().second}};
  for (const auto& [first, last] : ranges)
    tell(first, last);
  advance(snapshot);
}

void WorkerModel::advance(const observer::Snapshot& snapshot) {
  now_ = snapshot.time;
  if (std::abs(now_ - told_) < kTellAges || rows_.empty()) return;
  told_ = now_;
  Q_EMIT dataChanged(index(0, kHeartbeat), index(static_cast<int>(rows_.size()) - 1, kHeartbeat));
}

int WorkerModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(rows_.size());
}

int WorkerModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : kColumns;
}

Tone WorkerModel::tone_of(WorkerState state) {
  switch (state) {
    case WorkerState::kRunning:
      return Tone::kGood;
    case WorkerState::kStraggling:
      return Tone::kWarning;
    case WorkerState::kStalled:
    case WorkerState::kGone:
      return Tone::kBad;
    case WorkerState::kFinished:
      return Tone::kNotice;
    case WorkerState::kExpected:
      break;
  }
  return Tone::kAbsent;
}

QString WorkerModel::text(const Row& row, int rank, int column) const {
  switch (column) {
    case kRank:
      return QString::number(rank);
    case kHost:
      return row.host;
    case kState:
      return QString::fromLatin1(observer::to_string(row.state)) +
             (row.finite ? QString() : tr(", not finite"));
    case kSteps:
      return count_text(row.steps);
    case kStepsPerSecond:
      return rate_text(row.steps_per_second);
    case kPairingsPerSecond:
      return rate_text(row.pairings_per_second);
    case kWaiting:
      return row.waiting ? QStringLiteral("%1 %").arg(*row.waiting * 100, 0, 'f', 1) : unknown();
    case kBytesPerSecond:
      return row.bytes_per_second ? bytes_text(*row.bytes_per_second) + "/s" : unknown();
    case kDistance:
      return row.distance ? value_text(*row.distance) : unknown();
    case kHeartbeat:
      return row.heard ? age_text(now_ - *row.heard) : unknown();
    default:
      return {};
  }
}

QVariant WorkerModel::sort_key(const Row& row, int rank, int column) const {
  const auto number = [](const std::optional<double>& value) {
    return QVariant(value && !std::isnan(*value) ? *value : std::numeric_limits<double>::infinity());
  };
  switch (column) {
    case kHost:
      return row.host;
    // The worst first.
    case kState: {
      static constexpr int order[] = {4, 5, 2, 1, 3, 0};
      return order[static_cast<int>(row.state)] - (row.finite ? 0 : 10);
    }
    case kSteps:
      return static_cast<qulonglong>(row.steps);
    case kStepsPerSecond:
      return number(row.steps_per_second);
    case kPairingsPerSecond:
      return number(row.pairings_per_second);
    case kWaiting:
      return number(row.waiting);
    case kBytesPerSecond:
      return number(row.bytes_per_second);
    case kDistance:
      return number(row.distance);
    case kHeartbeat:
      return row.heard ? QVariant(now_ - *row.heard) : number(std::nullopt);
    default:
      return rank;
  }
}

QString WorkerModel::tip(const Row& row, int rank, int column) const {
  if (column == kPairingsPerSecond && row.target)
    return tr("target: %1 per second").arg(rate_text(row.target));
  if (column == kState && !row.finite) return tr("its parameters are not finite");
  if (row.lives > 1) return tr("worker %1, seen in %2 lives: it was restarted").arg(rank).arg(row.lives);
  return {};
}

QVariant WorkerModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= static_cast<int>(rows_.size())) return {};
  const Row& row = rows_[static_cast<std::size_t>(index.row())];
  switch (role) {
    case Qt::DisplayRole:
      return text(row, index.row(), index.column());
    case kSortRole:
      return sort_key(row, index.row(), index.column());
    case Qt::ToolTipRole:
      return tip(row, index.row(), index.column());
    case Qt::TextAlignmentRole:
      return int(Qt::AlignVCenter |
                 (index.column() == kHost || index.column() == kState ? Qt::AlignLeft : Qt::AlignRight));
    case Qt::ForegroundRole:
      if (index.column() == kState) return theme_.tone(row.finite ? tone_of(row.state) : Tone::kBad);
      if (row.state == WorkerState::kGone) return theme_.muted;
      return {};
    case Qt::DecorationRole:
      if (index.column() == kRank) return theme_.rank(index.row());
      return {};
    default:
      return {};
  }
}

QVariant WorkerModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  if (role == Qt::TextAlignmentRole) {
    return int(Qt::AlignVCenter | (section == kHost || section == kState ? Qt::AlignLeft : Qt::AlignRight));
  }
  if (role == Qt::ToolTipRole) {
    switch (section) {
      case kWaiting:
        return tr("share of the trainer's time that it waited for meetings or peers");
      case kBytesPerSecond:
        return tr("sent and received, per second");
      case kDistance:
        return tr("‖x_i − x̄‖: how far its parameters are from the mean of all workers");
      case kHeartbeat:
        return tr("seconds since its last frame");
      default:
        return {};
    }
  }
  if (role != Qt::DisplayRole) return {};
  switch (section) {
    case kRank:
      return tr("rank");
    case kHost:
      return tr("host");
    case kState:
      return tr("state");
    case kSteps:
      return tr("steps");
    case kStepsPerSecond:
      return tr("steps/s");
    case kPairingsPerSecond:
      return tr("pairings/s");
    case kWaiting:
      return tr("waiting");
    case kBytesPerSecond:
      return tr("traffic");
    case kDistance:
      return tr("to mean");
    case kHeartbeat:
      return tr("heard");
    default:
      return {};
  }
}

}  // namespace duet::dashboard
