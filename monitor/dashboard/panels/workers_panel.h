#pragma once

#include <QComboBox>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QWidget>

#include "dashboard/data/selection.h"
#include "dashboard/data/worker_model.h"

namespace duet::dashboard {

/// The table of workers, sorted by any column, filtered by text (rank, host, state) and by state. The row
/// that is chosen has the reader's attention everywhere.
class WorkersPanel : public QWidget {
  Q_OBJECT

 public:
  /// Both must outlive the panel.
  WorkersPanel(WorkerModel& model, Selection& selection, QWidget* parent = nullptr);
  QTableView& table() { return *table_; }
  QSortFilterProxyModel& proxy() { return *proxy_; }
  QLineEdit& filter() { return *filter_; }
  QComboBox& states() { return *states_; }

 private:
  void show_focus();

  Selection& selection_;
  QSortFilterProxyModel* proxy_;
  QLineEdit* filter_;
  QComboBox* states_;
  QTableView* table_;
  bool following_ = false;
};

}  // namespace duet::dashboard
