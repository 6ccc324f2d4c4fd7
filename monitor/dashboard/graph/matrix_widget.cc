#include "graph/matrix_widget.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <cmath>
#include <utility>

#include "data/number_text.h"

namespace duet::dashboard {

MatrixWidget::MatrixWidget(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
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

QRectF MatrixWidget::square() const { return MatrixPainter(theme_, font()).square(rect(), content_); }

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

}  // namespace duet::dashboard
