#pragma once

#include <QComboBox>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QWidget>

#include "dashboard/data/event_model.h"
#include "dashboard/data/selection.h"

namespace duet::dashboard {

/// The log of events: filtered by text and severity, follows the newest one unless somebody has scrolled up.
class EventsPanel : public QWidget {
  Q_OBJECT

 public:
  /// Both must outlive the panel.
  EventsPanel(EventModel& model, Selection& selection, QWidget* parent = nullptr);
  QTableView& table() { return *table_; }
  QSortFilterProxyModel& proxy() { return *proxy_; }
  QLineEdit& filter() { return *filter_; }
  QComboBox& severities() { return *severities_; }

 private:
  QSortFilterProxyModel* proxy_;
  QLineEdit* filter_;
  QComboBox* severities_;
  QTableView* table_;
  bool at_end_ = true;
};

}  // namespace duet::dashboard
