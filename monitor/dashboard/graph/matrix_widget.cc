#include "dashboard/graph/matrix_widget.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <cmath>
#include <utility>

#include "dashboard/data/number_text.h"

namespace duet::dashboard {

MatrixWidget::MatrixWidget(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setFocusPolicy(Qt::StrongFocus);
  setAttribute(Qt::WA_OpaquePaintEvent);
  setAccessibleName(tr("Pairing matrix"));
}

void MatrixWidget::set_theme(const Theme& theme) {
  theme_ = theme;
  update();
}

void MatrixWidget::set_content(MatrixContent content) {
  content_ = std::move(content);
  update();
}

QRectF MatrixWidget::square() const {
  return MatrixPainter(theme_, font()).square(rect(), content_);
}

QString MatrixWidget::cell_text(int row, int column) const {
  const float value = content_.at(row, column);
  if (row == column) return tr("worker %1").arg(row);
  if (std::isnan(value)) return tr("workers %1 and %2 are not neighbours").arg(row).arg(column);
  return tr("workers %1 and %2: %3%4").arg(row).arg(column).arg(value_text(value), content_.unit);
}

void MatrixWidget::render_to(QPainter& painter, const QRect& rect) const {
  MatrixPainter(theme_, font()).paint(painter, rect, content_);
}

void MatrixWidget::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  render_to(painter, rect());
  if (hasFocus()) {
    painter.setPen(QPen(theme_.accent, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
  }
}

bool MatrixWidget::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const auto cell = MatrixPainter(theme_, font()).cell_at(rect(), content_, help->pos());
  if (cell) {
    QToolTip::showText(help->globalPos(), cell_text(cell->first, cell->second), this);
  } else {
    QToolTip::hideText();
  }
  return true;
}

void MatrixWidget::mouseReleaseEvent(QMouseEvent* event) {
  const auto cell = MatrixPainter(theme_, font()).cell_at(rect(), content_, event->position());
  if (cell && event->button() == Qt::LeftButton) Q_EMIT worker_picked(cell->first);
}

void MatrixWidget::keyPressEvent(QKeyEvent* event) {
  const bool down = event->key() == Qt::Key_Down;
  if ((down || event->key() == Qt::Key_Up) && content_.size > 0) {
    const int from = content_.focused.value_or(down ? -1 : 0);
    Q_EMIT worker_picked((from + (down ? 1 : -1) + content_.size) % content_.size);
  } else if (event->key() == Qt::Key_Escape && content_.focused) {
    Q_EMIT worker_picked(-1);
  } else {
    QWidget::keyPressEvent(event);
  }
}

}  // namespace duet::dashboard
