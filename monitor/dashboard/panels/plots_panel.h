#pragma once

#include <QSplitter>
#include <QToolButton>
#include <QWidget>
#include <vector>

#include "dashboard/data/selection.h"
#include "dashboard/data/series_store.h"
#include "dashboard/data/time_view.h"
#include "dashboard/plot/plot_widget.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// The time plots below each other: consensus distance (log), loss, pairing rate against target; one time
/// axis, one crosshair. While they stand still, a button leads back to live.
class PlotsPanel : public QWidget {
  Q_OBJECT

 public:
  enum PlotName { kConsensus, kLoss, kPairings, kPlots };

  /// All three must outlive the panel.
  PlotsPanel(const SeriesStore& store, TimeView& view, Selection& selection, const Theme& theme,
             QWidget* parent = nullptr);

  void set_theme(const Theme& theme);
  /// After the store took something.
  void apply(const observer::Snapshot& snapshot);
  void set_bound_shown(bool shown);
  PlotWidget& plot(PlotName name) { return *plots_[name]; }
  const PlotWidget& plot(PlotName name) const { return *plots_[name]; }
  QToolButton& live_button() { return *live_; }
  QSplitter& splitter() { return *splitter_; }

  /// Content of one plot, as it is shown; pure but for the store.
  static PlotContent content(PlotName name, const SeriesStore& store, const observer::Snapshot& snapshot,
                             const Selection& selection, const TimeRange& range, bool bound,
                             const Theme& theme);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void rebuild();
  void place_button();

  const SeriesStore& store_;
  TimeView& view_;
  Selection& selection_;
  Theme theme_;
  const observer::Snapshot* snapshot_ = nullptr;
  bool bound_ = true;
  double window_ = 0.0;  ///< the view's, when the plots were last made
  QSplitter* splitter_;
  std::vector<PlotWidget*> plots_;
  QToolButton* live_;
};

/// What theory says when nobody trains and the workers only mix: the squared consensus distance falls at
/// least like exp(−steps / χ), with χ = √(χ₁ χ₂) for A²CiD² and χ₁ without momentum. A line from the highest
/// point of `mean` within `range`; empty where something is not known.
std::vector<Sample> mixing_bound(const Series& mean, const TimeRange& range,
                                 const observer::Snapshot& snapshot);

}  // namespace duet::dashboard
