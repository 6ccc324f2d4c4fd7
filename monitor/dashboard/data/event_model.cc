#include "dashboard/data/event_model.h"

#include <algorithm>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

EventModel::EventModel(const Theme& theme, QObject* parent) : QAbstractTableModel(parent), theme_(theme) {}

void EventModel::set_theme(const Theme& theme) {
  theme_ = theme;
  if (!events_.empty()) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, kColumns - 1));
}

void EventModel::apply(const observer::Update& update, double origin) {
  if (update.restarted && !events_.empty()) {
    beginRemoveRows({}, 0, rowCount() - 1);
    events_.clear();
    endRemoveRows();
  }
  if (origin != origin_) {
    origin_ = origin;
    if (!events_.empty()) Q_EMIT dataChanged(index(0, kTime), index(rowCount() - 1, kTime));
  }
  if (update.events.empty()) return;
  const std::size_t come = std::min<std::size_t>(update.events.size(), kMost);
  if (events_.size() + come > kMost) {
    const std::size_t go = events_.size() + come - kMost;
    beginRemoveRows({}, 0, static_cast<int>(go) - 1);
    events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(go));
    endRemoveRows();
  }
  beginInsertRows({}, rowCount(), rowCount() + static_cast<int>(come) - 1);
  events_.insert(events_.end(), update.events.end() - static_cast<std::ptrdiff_t>(come), update.events.end());
  endInsertRows();
}

int EventModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(events_.size());
}

int EventModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : kColumns;
}

QVariant EventModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= rowCount()) return {};
  const observer::Event& event = events_[static_cast<std::size_t>(index.row())];
  switch (role) {
    case kSeverityRole:
      return static_cast<int>(event.severity);
    case kRankRole:
      return event.rank;
    case Qt::ToolTipRole:
      return QString::fromStdString(event.text);
    case Qt::TextAlignmentRole:
      return int(Qt::AlignVCenter |
                 (index.column() == kTime || index.column() == kWorker ? Qt::AlignRight : Qt::AlignLeft));
    case Qt::ForegroundRole:
      if (index.column() != kSeverity && index.column() != kKind) return {};
      switch (event.severity) {
        case observer::Severity::kError:
          return theme_.tone(Tone::kBad);
        case observer::Severity::kWarning:
          return theme_.tone(Tone::kWarning);
        case observer::Severity::kInfo:
          return theme_.muted;
      }
      return {};
    case Qt::DisplayRole:
      break;
    default:
      return {};
  }
  switch (index.column()) {
    case kTime:
      return time_text(event.time - origin_, 0.1);
    case kSeverity:
      return QString::fromLatin1(observer::to_string(event.severity));
    case kKind:
      return QString::fromLatin1(observer::to_string(event.kind));
    case kWorker:
      if (event.rank < 0) return QString();
      return event.peer < 0 ? QString::number(event.rank)
                            : QStringLiteral("%1 – %2").arg(event.rank).arg(event.peer);
    case kText: {
      const QString text = QString::fromStdString(event.text);
      return event.count > 1 ? tr("%1 (%2 times)").arg(text).arg(event.count) : text;
    }
    default:
      return {};
  }
}

QVariant EventModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  switch (section) {
    case kTime:
      return tr("time");
    case kSeverity:
      return tr("severity");
    case kKind:
      return tr("event");
    case kWorker:
      return tr("worker");
    case kText:
      return tr("what happened");
    default:
      return {};
  }
}

}  // namespace duet::dashboard
