#pragma once

#include <QFont>
#include <QPainter>
#include <QRect>
#include <QString>
#include <optional>
#include <utility>
#include <vector>

#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// A number for each pair of workers, symmetric; NaN: these two are no neighbours.
struct MatrixContent {
  int size = 0;
  std::vector<float> values;  ///< row by row
  float largest = 0.0F;
  QString unit;
  std::optional<int> focused;
  QString empty_text;
  float at(int row, int column) const { return values[static_cast<std::size_t>(row) * size + column]; }
};

/// Draws it as a square of cells, with ranks along two sides and a key. Pure.
class MatrixPainter {
 public:
  MatrixPainter(const Theme& theme, const QFont& font);
  void paint(QPainter& painter, const QRect& rect, const MatrixContent& content) const;
  QRectF square(const QRect& rect, const MatrixContent& content) const;
  std::optional<std::pair<int, int>> cell_at(const QRect& rect, const MatrixContent& content,
                                             QPointF at) const;

 private:
  void paint_ranks(QPainter& painter, const QRectF& square, const MatrixContent& content) const;
  void paint_key(QPainter& painter, const QRect& rect, const QRectF& square,
                 const MatrixContent& content) const;

  const Theme& theme_;
  QFont font_;
};

}  // namespace duet::dashboard
