#include "dashboard/graph/matrix_painter.h"

#include <QImage>
#include <QLinearGradient>
#include <algorithm>
#include <array>
#include <cmath>

#include "dashboard/data/number_text.h"
#include "dashboard/plot/axis_scale.h"

namespace duet::dashboard {

namespace {

/// The map begins beyond the background: a neighbour that is never met must not look like no neighbour.
constexpr double kFirst = 0.08;

/// The map's colours by share, made once for a picture: of 1,024 workers it has a million cells.
class HeatTable {
 public:
  explicit HeatTable(const Theme& theme) {
    for (int k = 0; k <= kLast; ++k)
      colors_[static_cast<std::size_t>(k)] = theme.heat(kFirst + (1 - kFirst) * k / kLast).rgb();
  }
  QRgb at(float share) const {
    return colors_[static_cast<std::size_t>(std::clamp(share, 0.0F, 1.0F) * kLast)];
  }

 private:
  static constexpr int kLast = 255;
  std::array<QRgb, kLast + 1> colors_{};
};

}  // namespace

MatrixPainter::MatrixPainter(const Theme& theme, const QFont& font) : theme_(theme), font_(font) {}

QRectF MatrixPainter::square(const QRect& rect, const MatrixContent& content) const {
  const QFontMetricsF metrics(font_);
  const double left = metrics.horizontalAdvance(QString::number(std::max(content.size - 1, 10))) + 10;
  const double top = metrics.height() + 6;
  const double key = metrics.horizontalAdvance(QStringLiteral("0.0000/s")) + 34;
  const double side = std::min(rect.width() - left - key, rect.height() - top - 8.0);
  const double x = rect.left() + left + std::max(0.0, (rect.width() - left - key - side) / 2);
  return {x, rect.top() + top, std::max(side, 0.0), std::max(side, 0.0)};
}

void MatrixPainter::paint(QPainter& painter, const QRect& rect, const MatrixContent& content) const {
  painter.save();
  painter.setClipRect(rect);
  painter.fillRect(rect, theme_.surface);
  painter.setFont(font_);
  const QRectF box = square(rect, content);
  if (content.size == 0 || box.width() < 16) {
    painter.setPen(theme_.muted);
    painter.drawText(rect, Qt::AlignCenter | Qt::TextWordWrap, content.empty_text);
    painter.restore();
    return;
  }
  QImage image(content.size, content.size, QImage::Format_RGB32);
  const QRgb none = theme_.raised.rgb();
  const HeatTable heat(theme_);
  const float scale = content.largest > 0 ? 1 / content.largest : 0.0F;
  for (int row = 0; row < content.size; ++row) {
    auto* line = reinterpret_cast<QRgb*>(image.scanLine(row));
    for (int column = 0; column < content.size; ++column) {
      const float value = content.at(row, column);
      line[column] = std::isnan(value) ? none : heat.at(value * scale);
    }
  }
  painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
  painter.drawImage(box, image);
  const double cell = box.width() / content.size;
  if (cell >= 7) {
    painter.setPen(QPen(theme_.surface, 1));
    for (int k = 1; k < content.size; ++k) {
      const double at = k * cell;
      painter.drawLine(QPointF(box.left() + at, box.top()), QPointF(box.left() + at, box.bottom()));
      painter.drawLine(QPointF(box.left(), box.top() + at), QPointF(box.right(), box.top() + at));
    }
  }
  painter.setPen(QPen(theme_.frame, 1));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(box);
  if (content.focused && *content.focused < content.size) {
    painter.setPen(QPen(theme_.accent, 1.5));
    painter.drawRect(QRectF(box.left(), box.top() + *content.focused * cell, box.width(), cell));
    painter.drawRect(QRectF(box.left() + *content.focused * cell, box.top(), cell, box.height()));
  }
  paint_ranks(painter, box, content);
  paint_key(painter, rect, box, content);
  painter.restore();
}

void MatrixPainter::paint_ranks(QPainter& painter, const QRectF& square, const MatrixContent& content) const {
  const QFontMetricsF metrics(font_);
  const double cell = square.width() / content.size;
  const double width = metrics.horizontalAdvance(QString::number(content.size - 1)) + 6;
  const int every_column = std::max(1, static_cast<int>(AxisScale::nice_step(std::ceil(width / cell))));
  const int every_row =
      std::max(1, static_cast<int>(AxisScale::nice_step(std::ceil(metrics.height() / cell))));
  painter.setPen(theme_.muted);
  for (int rank = 0; rank < content.size; rank += every_column) {
    painter.drawText(QRectF(square.left() + (rank + 0.5) * cell - width, square.top() - metrics.height() - 2,
                            2 * width, metrics.height()),
                     Qt::AlignCenter, QString::number(rank));
  }
  for (int rank = 0; rank < content.size; rank += every_row) {
    painter.drawText(QRectF(square.left() - 60 - 5, square.top() + (rank + 0.5) * cell - metrics.height() / 2,
                            60, metrics.height()),
                     Qt::AlignRight | Qt::AlignVCenter, QString::number(rank));
  }
}

void MatrixPainter::paint_key(QPainter& painter, const QRect& rect, const QRectF& square,
                              const MatrixContent& content) const {
  const QFontMetricsF metrics(font_);
  const QRectF bar(square.right() + 12, square.top(), 10, square.height());
  QLinearGradient gradient(0, bar.bottom(), 0, bar.top());
  for (int k = 0; k <= 10; ++k)
    gradient.setColorAt(k / 10.0, theme_.heat(kFirst + (1 - kFirst) * k / 10));
  painter.fillRect(bar, gradient);
  painter.setPen(QPen(theme_.frame, 1));
  painter.drawRect(bar);
  painter.setPen(theme_.muted);
  const double left = bar.right() + 4;
  const auto label = [&](double y, double value) {
    painter.drawText(QRectF(left, y, rect.right() - left, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter,
                     value_text(value) + content.unit);
  };
  label(bar.top() - 2, content.largest);
  label(bar.bottom() - metrics.height() + 2, 0);
  if (bar.height() > 4 * metrics.height())
    label(bar.center().y() - metrics.height() / 2, content.largest / 2);
}

std::optional<std::pair<int, int>> MatrixPainter::cell_at(const QRect& rect, const MatrixContent& content,
                                                          QPointF at) const {
  const QRectF box = square(rect, content);
  if (content.size == 0 || box.width() <= 0 || !box.contains(at)) return std::nullopt;
  const double cell = box.width() / content.size;
  const auto index = [&](double offset) {
    return std::clamp(static_cast<int>(offset / cell), 0, content.size - 1);
  };
  return std::pair{index(at.y() - box.top()), index(at.x() - box.left())};
}

}  // namespace duet::dashboard
