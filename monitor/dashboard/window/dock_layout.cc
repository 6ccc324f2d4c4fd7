#include "dashboard/window/dock_layout.h"

#include <algorithm>

namespace duet::dashboard {

DockLayout::DockLayout(QMainWindow& host) : host_(host) {
  host_.setDockOptions(QMainWindow::AnimatedDocks | QMainWindow::AllowNestedDocks |
                       QMainWindow::AllowTabbedDocks);
  host_.setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
  host_.setCorner(Qt::BottomRightCorner, Qt::RightDockWidgetArea);
  host_.setCorner(Qt::BottomLeftCorner, Qt::LeftDockWidgetArea);
}

QDockWidget* DockLayout::add(Place place, const QString& name, const QString& title, QWidget* content) {
  auto* dock = new QDockWidget(title, &host_);
  dock->setObjectName(name);
  dock->setWidget(content);
  docks_.push_back(dock);
  at_[static_cast<int>(place)] = dock;
  return dock;
}

void DockLayout::reset(QSize size) {
  const auto at = [this](Place place) { return at_[static_cast<int>(place)]; };
  for (QDockWidget* dock : docks_) {
    host_.removeDockWidget(dock);
    dock->setFloating(false);
  }
  host_.addDockWidget(Qt::LeftDockWidgetArea, at(Place::kLegend));
  host_.addDockWidget(Qt::RightDockWidgetArea, at(Place::kGraph));
  host_.addDockWidget(Qt::RightDockWidgetArea, at(Place::kWorkers));
  host_.tabifyDockWidget(at(Place::kGraph), at(Place::kMatrix));
  host_.tabifyDockWidget(at(Place::kWorkers), at(Place::kEvents));
  for (QDockWidget* dock : docks_)
    dock->show();
  at(Place::kGraph)->raise();
  at(Place::kWorkers)->raise();
  // The plots have the middle; graph and table a good two fifths, the legend what its names need.
  const int legend = std::clamp(size.width() / 12, 112, 150);
  const int right = std::clamp(size.width() * 42 / 100, 360, 900);
  host_.resizeDocks({at(Place::kLegend), at(Place::kGraph)}, {legend, right}, Qt::Horizontal);
  host_.resizeDocks({at(Place::kGraph), at(Place::kWorkers)},
                    {size.height() * 54 / 100, size.height() * 46 / 100}, Qt::Vertical);
}

}  // namespace duet::dashboard
