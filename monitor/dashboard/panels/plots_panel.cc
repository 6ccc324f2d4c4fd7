#include "dashboard/panels/plots_panel.h"

#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

namespace {

struct Sources {
  const Series* mean = nullptr;
  const Series* low = nullptr;
  const Series* high = nullptr;
  const Series* (*of_rank)(const SeriesStore::Rank&) = nullptr;
};

Sources sources(PlotsPanel::PlotName name, const SeriesStore& store) {
  switch (name) {
    case PlotsPanel::kConsensus:
      return {&store.consensus_mean(), &store.consensus_min(), &store.consensus_max(),
              [](const SeriesStore::Rank& rank) { return &rank.distance; }};
    case PlotsPanel::kLoss:
      return {&store.loss().mean, &store.loss().low, &store.loss().high,
              [](const SeriesStore::Rank& rank) { return &rank.loss; }};
    case PlotsPanel::kPairings:
    case PlotsPanel::kPlots:
      break;
  }
  return {&store.pairings().mean, &store.pairings().low, &store.pairings().high,
          [](const SeriesStore::Rank& rank) { return &rank.pairings; }};
}

/// What is not finite, from `range` on, as crosses at moments that can be told apart: a run that reports
/// nothing but NaN is drawn as quickly as any other.
class Marks {
 public:
  Marks(const TimeRange& range, const QColor& color)
      : range_(range), color_(color), taken_(kPlaces + 1, false) {}

  void add(const Series& series) {
    const auto& times = series.marks();
    for (auto time = std::lower_bound(times.begin(), times.end(), range_.from); time != times.end(); ++time) {
      const double share =
          range_.length() > 0 ? std::clamp((*time - range_.from) / range_.length(), 0.0, 1.0) : 0.0;
      const auto place = static_cast<std::size_t>(share * kPlaces);
      if (taken_[place]) continue;
      taken_[place] = true;
      marks_.push_back({*time, color_});
    }
  }
  std::vector<Mark> take() { return std::move(marks_); }

 private:
  static constexpr std::size_t kPlaces = 500;
  TimeRange range_;
  QColor color_;
  std::vector<bool> taken_;
  std::vector<Mark> marks_;
};

QString newest(const Series& series) {
  return series.empty() ? QString() : value_text(series.back().value);
}

}  // namespace

std::vector<Sample> mixing_bound(const Series& mean, const TimeRange& range,
                                 const observer::Snapshot& snapshot) {
  const observer::RunHeader& run = snapshot.run;
  const auto live = std::count_if(snapshot.workers.begin(), snapshot.workers.end(),
                                  [](const observer::Worker& worker) { return worker.live(); });
  if (live == 0 || !snapshot.steps_per_second || !(*snapshot.steps_per_second > 0) || !(run.chi1 > 0))
    return {};
  const double chi = run.algorithm == "a2cid2" && run.chi2 > 0 ? std::sqrt(run.chi1 * run.chi2) : run.chi1;
  const double per_second = *snapshot.steps_per_second / static_cast<double>(live);
  const std::size_t begin = mean.lower_bound(range.from);
  const std::size_t end = mean.lower_bound(std::nextafter(range.to, HUGE_VAL), begin);
  if (begin == end) return {};
  std::size_t peak = begin;
  for (std::size_t k = begin; k < end; ++k) {
    if (mean.at(k).value > mean.at(peak).value) peak = k;
  }
  const Sample from = mean.at(peak);
  if (!(from.value > 0) || from.time >= range.to) return {};
  // The distance, not its square: half the exponent. A straight line on a logarithmic scale.
  return {from, {range.to, from.value * std::exp(-(range.to - from.time) * per_second / (2 * chi))}};
}

PlotContent PlotsPanel::content(PlotName name, const SeriesStore& store, const observer::Snapshot& snapshot,
                                const Selection& selection, const TimeRange& range, bool bound,
                                const Theme& theme) {
  const Sources from = sources(name, store);
  PlotContent content;
  content.origin = store.origin();
  content.empty_text = tr("Nothing has been reported yet");
  switch (name) {
    case kConsensus:
      content.title = tr("Consensus distance");
      content.scale = ScaleKind::kLog;
      content.empty_text = tr("Waiting for the first complete tick");
      break;
    case kLoss:
      content.title = tr("Loss");
      content.empty_text = tr("No loss has been reported");
      break;
    case kPairings:
    case kPlots:
      content.title = tr("Pairing rate");
      content.unit = tr("per worker and second");
      break;
  }
  const int ranks = store.ranks();
  const int shown = selection.shown_count();
  Marks marks(range, theme.tone(Tone::kBad));
  marks.add(*from.mean);
  if (shown < ranks) {
    content.bands.push_back({from.low, from.high, theme.band, tr("all workers")});
  }
  for (int rank = 0; rank < ranks; ++rank) {
    const Series* series = from.of_rank(store.rank(rank));
    const bool focused = selection.focused() == rank;
    marks.add(*series);
    if (!selection.shown(rank) && !focused) continue;
    if (series->empty()) continue;
    content.curves.push_back({series, theme.rank(rank), tr("worker %1").arg(rank), focused ? 2.6 : 1.1,
                              Qt::SolidLine, false, focused});
  }
  content.marks = marks.take();
  if (name == kConsensus) {
    content.curves.push_back({from.high, theme.muted, tr("largest"), 1.2, Qt::DotLine, true, true});
  }
  content.curves.push_back(
      {from.mean, theme.mean, name == kConsensus ? tr("run") : tr("mean"), 2.0, Qt::SolidLine, true, true});
  if (name == kPairings) {
    content.curves.push_back(
        {&store.target().mean, theme.bound, tr("target"), 1.4, Qt::DashLine, true, true});
  }
  if (name == kConsensus && bound) {
    std::vector<Sample> line = mixing_bound(store.consensus_mean(), range, snapshot);
    if (!line.empty()) content.overlays.push_back({std::move(line), theme.bound, tr("bound: mixing alone")});
  }
  content.note = newest(*from.mean);
  return content;
}

PlotsPanel::PlotsPanel(const SeriesStore& store, TimeView& view, Selection& selection, const Theme& theme,
                       QWidget* parent)
    : QWidget(parent),
      store_(store),
      view_(view),
      selection_(selection),
      theme_(theme),
      splitter_(new QSplitter(Qt::Vertical)),
      live_(new QToolButton(this)) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(splitter_);
  splitter_->setObjectName(QStringLiteral("plots"));
  splitter_->setHandleWidth(5);
  splitter_->setChildrenCollapsible(true);
  for (int k = 0; k < kPlots; ++k) {
    auto* plot = new PlotWidget(view_, theme_);
    splitter_->addWidget(plot);
    plots_.push_back(plot);
  }
  splitter_->setStretchFactor(kConsensus, 3);
  splitter_->setStretchFactor(kLoss, 2);
  splitter_->setStretchFactor(kPairings, 2);
  splitter_->setSizes({300, 200, 200});
  live_->setText(tr("▶ Live"));
  live_->setToolTip(tr("Follow the newest data again (Escape)"));
  live_->setFocusPolicy(Qt::TabFocus);
  live_->setAutoRaise(false);
  live_->hide();
  connect(live_, &QToolButton::clicked, &view_, &TimeView::go_live);
  connect(&view_, &TimeView::live_changed, this, [this](bool live) {
    live_->setVisible(!live);
    place_button();
    rebuild();
  });
  connect(&selection_, &Selection::changed, this, &PlotsPanel::rebuild);
  connect(&selection_, &Selection::focus_changed, this, &PlotsPanel::rebuild);
  connect(&view_, &TimeView::changed, this, [this] {
    // The bound begins at the highest point that is seen, and marks are chosen for what is. While the view
    // only follows, the next data bring both.
    if (!view_.live() || view_.window() != window_) rebuild();
  });
}

void PlotsPanel::set_theme(const Theme& theme) {
  theme_ = theme;
  for (PlotWidget* plot : plots_)
    plot->set_theme(theme);
  live_->setStyleSheet(
      QStringLiteral("QToolButton { background: %1; color: %2; border: none; border-radius: 4px;"
                     " padding: 3px 10px; font-weight: 600; }"
                     "QToolButton:focus { border: 2px solid %3; }")
          .arg(theme.accent.name(), theme.on_accent.name(), theme.text.name()));
  rebuild();
}

void PlotsPanel::set_bound_shown(bool shown) {
  bound_ = shown;
  rebuild();
}

void PlotsPanel::apply(const observer::Snapshot& snapshot) {
  snapshot_ = &snapshot;
  rebuild();
}

void PlotsPanel::rebuild() {
  static const observer::Snapshot nothing;
  const observer::Snapshot& snapshot = snapshot_ != nullptr ? *snapshot_ : nothing;
  window_ = view_.window();
  for (int k = 0; k < kPlots; ++k) {
    plots_[static_cast<std::size_t>(k)]->set_content(
        content(static_cast<PlotName>(k), store_, snapshot, selection_, view_.range(), bound_, theme_));
  }
}

void PlotsPanel::place_button() {
  live_->adjustSize();
  const QRect area = plots_[kConsensus]->area();
  const QPoint corner = plots_[kConsensus]->mapTo(this, area.topRight());
  live_->move(corner + QPoint(-live_->width() - 8, 8));
  live_->raise();
}

void PlotsPanel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  place_button();
}

}  // namespace duet::dashboard
