#include "dashboard/plot/legend_widget.h"

#include <QIcon>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPixmap>
#include <QVBoxLayout>
#include <utility>

namespace duet::dashboard {

namespace {
constexpr int kShownRole = Qt::UserRole + 1;
constexpr QSize kSwatch(18, 10);
}  // namespace

LegendWidget::LegendWidget(Selection& selection, const Theme& theme, QWidget* parent)
    : QWidget(parent), selection_(selection), theme_(theme) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(3);
  filter_.setPlaceholderText(tr("Filter workers"));
  filter_.setClearButtonEnabled(true);
  filter_.setAccessibleName(tr("Filter workers"));
  layout->addWidget(&filter_);
  layout->addWidget(&list_);
  list_.setAccessibleName(tr("Workers"));
  list_.setIconSize(kSwatch);
  list_.setUniformItemSizes(true);
  list_.setSelectionMode(QAbstractItemView::SingleSelection);
  list_.setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  list_.setTextElideMode(Qt::ElideRight);
  list_.setToolTip(
      tr("Click: line on or off. Ctrl-click: this one alone. Double-click: look at it everywhere."));
  list_.installEventFilter(this);
  list_.viewport()->installEventFilter(this);
  connect(&filter_, &QLineEdit::textChanged, this, &LegendWidget::apply_filter);
  connect(&list_, &QListWidget::itemDoubleClicked, this,
          [this](QListWidgetItem* item) { selection_.focus(list_.row(item)); });
  connect(&selection_, &Selection::changed, this, &LegendWidget::show_state);
  connect(&selection_, &Selection::focus_changed, this, [this] {
    if (selection_.focused() && *selection_.focused() < list_.count()) {
      list_.setCurrentRow(*selection_.focused());
    } else {
      list_.setCurrentRow(-1);
    }
  });
}

QSize LegendWidget::sizeHint() const {
  return {130, 200};
}

void LegendWidget::set_theme(const Theme& theme) {
  theme_ = theme;
  for (int rank = 0; rank < list_.count(); ++rank)
    list_.item(rank)->setData(kShownRole, QVariant());
  show_state();
}

void LegendWidget::set_count(int workers) {
  while (list_.count() > workers)
    delete list_.takeItem(list_.count() - 1);
  if (list_.count() == workers) return;
  while (list_.count() < workers)
    list_.addItem(tr("worker %1").arg(list_.count()));
  show_state();
  apply_filter();
}

void LegendWidget::set_worker(int rank, const QString& host) {
  if (rank < 0) return;
  if (list_.count() <= rank) set_count(rank + 1);
  QListWidgetItem* item = list_.item(rank);
  const QString tip = host.isEmpty() ? QString() : tr("worker %1 on %2").arg(rank).arg(host);
  if (item->toolTip() == tip) return;
  item->setToolTip(tip);
  if (!filter_.text().isEmpty()) apply_filter();
}

void LegendWidget::apply_filter() {
  const QString wanted = filter_.text().trimmed();
  for (int row = 0; row < list_.count(); ++row) {
    const QListWidgetItem* item = list_.item(row);
    list_.setRowHidden(row, !wanted.isEmpty() && !item->text().contains(wanted, Qt::CaseInsensitive) &&
                                !item->toolTip().contains(wanted, Qt::CaseInsensitive));
  }
}

void LegendWidget::show_state() {
  for (int rank = 0; rank < list_.count(); ++rank) {
    QListWidgetItem* item = list_.item(rank);
    const bool shown = selection_.shown(rank);
    const QVariant before = item->data(kShownRole);
    if (before.isValid() && before.toBool() == shown) continue;
    item->setData(kShownRole, shown);
    item->setIcon(swatch(rank, shown));
    item->setForeground(shown ? theme_.text : theme_.muted);
  }
}

QIcon LegendWidget::swatch(int rank, bool shown) const {
  QPixmap pixmap(kSwatch * 2);
  pixmap.setDevicePixelRatio(2);
  pixmap.fill(Qt::transparent);
  QPainter painter(&pixmap);
  painter.setRenderHint(QPainter::Antialiasing);
  // Full or hollow: told by shape, not by colour alone.
  painter.setPen(QPen(theme_.rank(rank), 1.5));
  painter.setBrush(shown ? QBrush(theme_.rank(rank)) : QBrush(Qt::NoBrush));
  painter.drawRoundedRect(QRectF(1.5, 1.5, kSwatch.width() - 3, kSwatch.height() - 3), 2, 2);
  return QIcon(pixmap);
}

bool LegendWidget::eventFilter(QObject* watched, QEvent* event) {
  const bool press =
      event->type() == QEvent::MouseButtonPress || event->type() == QEvent::MouseButtonDblClick;
  if (watched == list_.viewport() && (press || event->type() == QEvent::MouseButtonRelease)) {
    const auto* mouse = static_cast<QMouseEvent*>(event);
    const QListWidgetItem* item = list_.itemAt(mouse->position().toPoint());
    const int rank = item != nullptr && mouse->button() == Qt::LeftButton ? list_.row(item) : -1;
    if (press) {
      pressed_ = rank;
    } else if (rank >= 0 && rank == std::exchange(pressed_, -1)) {
      // Dragged from one row to another was no click.
      if (mouse->modifiers() & Qt::ControlModifier) {
        selection_.solo(rank);
      } else {
        selection_.toggle(rank);
      }
    }
  }
  if (watched == &list_ && event->type() == QEvent::KeyPress) {
    const auto* key = static_cast<QKeyEvent*>(event);
    const int rank = list_.currentRow();
    const bool control = key->modifiers() & Qt::ControlModifier;
    if (rank >= 0 && key->key() == Qt::Key_Space && !control) {
      selection_.toggle(rank);
      return true;
    }
    if (rank >= 0 && (key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter)) {
      if (control) {
        selection_.solo(rank);
      } else {
        selection_.focus(rank);
      }
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace duet::dashboard
