#pragma once

#include <QWidget>

#include "dashboard/graph/matrix_painter.h"

namespace duet::dashboard {

/// The pairing matrix with a tip for each cell; a click gives attention to the row's worker, Up and Down go
/// from worker to worker, Escape gives the attention up.
class MatrixWidget : public QWidget {
  Q_OBJECT

 public:
  explicit MatrixWidget(const Theme& theme, QWidget* parent = nullptr);
  void set_theme(const Theme& theme);
  void set_content(MatrixContent content);
  const MatrixContent& content() const { return content_; }
  QRectF square() const;
  /// What the tip of a cell says.
  QString cell_text(int row, int column) const;
  void render_to(QPainter& painter, const QRect& rect) const;

  QSize sizeHint() const override { return {420, 360}; }
  QSize minimumSizeHint() const override { return {160, 140}; }

 Q_SIGNALS:
  /// −1: nobody.
  void worker_picked(int rank);

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  Theme theme_;
  MatrixContent content_;
};

}  // namespace duet::dashboard
