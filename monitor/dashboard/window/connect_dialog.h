#pragma once

#include <QComboBox>
#include <QDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>

#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// Asks for the address of any one worker. Checked while it is typed; a missing port is filled in. With the
/// run's secret where it has one.
class ConnectDialog : public QDialog {
  Q_OBJECT

 public:
  ConnectDialog(const QStringList& recent, const Theme& theme, QWidget* parent = nullptr);
  /// "host:port", complete; empty as long as what was typed is none.
  QString address() const;
  QString secret() const { return secret_->text(); }
  QComboBox& field() { return *field_; }
  QLabel& hint() { return *hint_; }
  QPushButton& connect_button() { return *connect_; }

 private:
  void check();

  Theme theme_;
  QComboBox* field_;
  QLineEdit* secret_;
  QLabel* hint_;
  QPushButton* connect_;
};

}  // namespace duet::dashboard
