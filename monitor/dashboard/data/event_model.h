#pragma once

#include <QAbstractTableModel>
#include <deque>

#include "dashboard/window/theme.h"
#include "duet/observer/snapshot.h"

namespace duet::dashboard {

/// What happened, newest last; the oldest go beyond kMost. Patched, never reset.
class EventModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum ColumnName { kTime, kSeverity, kKind, kWorker, kText, kColumns };
  static constexpr int kSeverityRole = Qt::UserRole + 1;
  static constexpr int kRankRole = Qt::UserRole + 2;
  static constexpr int kMost = 2000;

  explicit EventModel(const Theme& theme, QObject* parent = nullptr);

  void set_theme(const Theme& theme);
  /// `origin`: what the column of times counts from.
  void apply(const observer::Update& update, double origin);

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

 private:
  Theme theme_;
  std::deque<observer::Event> events_;
  double origin_ = 0.0;
};

}  // namespace duet::dashboard
