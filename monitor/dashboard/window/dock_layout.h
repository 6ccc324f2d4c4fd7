#pragma once

#include <QDockWidget>
#include <QMainWindow>
#include <vector>

namespace duet::dashboard {

/// Where the docks are at first, and how that is reset. QMainWindow saves and restores it.
class DockLayout {
 public:
  /// The host must outlive it, and has the plots in its middle.
  explicit DockLayout(QMainWindow& host);

  enum class Place { kLegend, kGraph, kMatrix, kWorkers, kEvents };
  QDockWidget* add(Place place, const QString& name, const QString& title, QWidget* content);
  /// As it is for somebody who has moved nothing, for a window of this size.
  void reset(QSize size);
  const std::vector<QDockWidget*>& docks() const { return docks_; }

 private:
  QMainWindow& host_;
  std::vector<QDockWidget*> docks_;
  QDockWidget* at_[5] = {};
};

}  // namespace duet::dashboard
