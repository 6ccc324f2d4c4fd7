#include "dashboard/panels/run_header.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

namespace {

constexpr int kMarginX = 10;
constexpr int kMarginY = 4;
constexpr int kGapX = 22;

QFont small_of(const QFont& font) {
  QFont small = font;
  small.setPointSizeF(font.pointSizeF() * 0.85);
  return small;
}

QFont strong_of(const QFont& font) {
  QFont strong = font;
  strong.setWeight(QFont::DemiBold);
  return strong;
}

}  // namespace

RunHeader::RunHeader(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
  items_ = items_of({});
  setAccessibleName(tr("Run"));
}

void RunHeader::set_theme(const Theme& theme) {
  theme_ = theme;
  update();
}

std::vector<RunHeader::Item> RunHeader::items_of(const observer::Snapshot& snapshot) {
  const observer::RunHeader& run = snapshot.run;
  const QString none = QStringLiteral("–");
  const auto text = [&none](const std::string& words) {
    return words.empty() ? none : QString::fromStdString(words);
  };
  const auto number = [&none](double value) { return value > 0 ? value_text(value) : none; };
  const auto rate = [&none](const std::optional<double>& value) { return value ? value_text(*value) : none; };
  const auto live = std::count_if(snapshot.workers.begin(), snapshot.workers.end(),
                                  [](const observer::Worker& worker) { return worker.live(); });
  const int size = std::max(run.world_size, static_cast<int>(snapshot.workers.size()));
  QString algorithm = text(run.algorithm);
  if (run.algorithm == "a2cid2") algorithm = QStringLiteral("A²CiD²");
  if (run.algorithm == "adpsgd") algorithm = QStringLiteral("AD-PSGD");
  std::vector<Item> items{
      {tr("algorithm"), algorithm, {}},
      {tr("graph"), text(run.graph), tr("in %n part(s)", nullptr, run.components)},
      {tr("workers"), size > 0 ? QStringLiteral("%1 / %2").arg(live).arg(size) : none,
       tr("heard now / in the run")},
      {tr("consensus"), snapshot.consensus ? value_text(snapshot.consensus->mean) : none,
       tr("consensus distance: √(mean of ‖x_i − x̄‖²)")},
      {tr("loss"), snapshot.mean_loss ? value_text(*snapshot.mean_loss) : none,
       tr("mean of the live workers'")},
      {tr("steps/s"), rate(snapshot.steps_per_second), tr("of all workers together")},
      {tr("meetings/s"), rate(snapshot.meetings_per_second), tr("of the whole run, each counted once")},
      {QStringLiteral("χ₁"), number(run.chi1), tr("inverse algebraic connectivity")},
      {QStringLiteral("χ₂"), number(run.chi2), tr("half of the worst effective resistance of an edge")},
      {QStringLiteral("η"), number(run.eta), tr("1 / (2 √(χ₁ χ₂))")},
      {QStringLiteral("α̃"), number(run.alpha_tilde), tr("½ √(χ₁ / χ₂)")},
      {tr("transport"), text(run.transport), {}},
      {tr("epoch"), run.world_size > 0 ? QString::number(run.epoch) : none,
       tr("counts changes of the members")},
  };
  if (!run.run_id.empty())
    items.push_back(
        {tr("run"), QString::fromStdString(run.run_id).left(20), QString::fromStdString(run.run_id)});
  return items;
}

void RunHeader::apply(const observer::Snapshot& snapshot) {
  std::vector<Item> items = items_of(snapshot);
  if (items == items_) return;
  const int before = heightForWidth(width());
  items_ = std::move(items);
  if (heightForWidth(width()) != before) updateGeometry();
  update();
}

std::vector<QRect> RunHeader::places(int width) const {
  const QFontMetrics small(small_of(font()));
  const QFontMetrics strong(strong_of(font()));
  const int row = small.height() + strong.height();
  std::vector<QRect> rects;
  int x = kMarginX;
  int y = kMarginY;
  for (const Item& item : items_) {
    // A little more than now: values that change their digits do not make everything dance.
    const int value = strong.horizontalAdvance(item.value);
    const int wanted = std::max({small.horizontalAdvance(item.name), (value + 15) / 16 * 16, 24});
    if (x + wanted > width - kMarginX && x > kMarginX) {
      x = kMarginX;
      y += row + kMarginY;
    }
    rects.emplace_back(x, y, wanted, row);
    x += wanted + kGapX;
  }
  return rects;
}

int RunHeader::heightForWidth(int width) const {
  const std::vector<QRect> rects = places(width);
  return rects.empty() ? 0 : rects.back().bottom() + 1 + kMarginY;
}

QSize RunHeader::sizeHint() const {
  return {900, heightForWidth(std::max(width(), 600))};
}
QSize RunHeader::minimumSizeHint() const {
  return {200, heightForWidth(std::max(width(), 200))};
}

void RunHeader::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), theme_.surface);
  painter.setPen(theme_.frame);
  painter.drawLine(0, height() - 1, width(), height() - 1);
  const QFont small = small_of(font());
  const QFont strong = strong_of(font());
  const int small_height = QFontMetrics(small).height();
  const std::vector<QRect> rects = places(width());
  for (std::size_t k = 0; k < rects.size(); ++k) {
    painter.setFont(small);
    painter.setPen(theme_.muted);
    painter.drawText(rects[k].adjusted(0, 0, kGapX, 0), Qt::AlignLeft | Qt::AlignTop, items_[k].name);
    painter.setFont(strong);
    painter.setPen(theme_.text);
    painter.drawText(rects[k].adjusted(0, small_height, kGapX, 0), Qt::AlignLeft | Qt::AlignTop,
                     items_[k].value);
  }
}

bool RunHeader::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const std::vector<QRect> rects = places(width());
  for (std::size_t k = 0; k < rects.size(); ++k) {
    if (!rects[k].contains(help->pos())) continue;
    QToolTip::showText(help->globalPos(), items_[k].tip, this);
    return true;
  }
  QToolTip::hideText();
  return true;
}

}  // namespace duet::dashboard
