#pragma once

#include <QLineEdit>
#include <QListWidget>
#include <QWidget>

#include "dashboard/data/selection.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// The list of workers with their colours. Click = line on or off, Ctrl-click = that one alone (again: back),
/// double-click = attention; a box filters by rank or host. Keys: Space = on or off, Return = attention,
/// Ctrl-Return = alone.
class LegendWidget : public QWidget {
  Q_OBJECT

 public:
  /// The selection must outlive the widget.
  LegendWidget(Selection& selection, const Theme& theme, QWidget* parent = nullptr);

  void set_theme(const Theme& theme);
  /// "host" may be empty: only the rank is shown. Patches what is there.
  void set_worker(int rank, const QString& host);
  /// A new run: no more than these.
  void set_count(int workers);
  QListWidget& list() { return list_; }
  QLineEdit& filter() { return filter_; }

  QSize sizeHint() const override;

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void apply_filter();
  void show_state();
  QIcon swatch(int rank, bool shown) const;

  Selection& selection_;
  int pressed_ = -1;  ///< where the button went down
  Theme theme_;
  QLineEdit filter_;
  QListWidget list_;
};

}  // namespace duet::dashboard
