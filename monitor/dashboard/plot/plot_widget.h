#pragma once

#include <QElapsedTimer>
#include <QPixmap>
#include <QTimer>
#include <QWidget>
#include <cstdint>
#include <optional>
#include <vector>

#include "dashboard/data/time_view.h"
#include "dashboard/plot/plot_content.h"
#include "dashboard/window/theme.h"

namespace duet::dashboard {

/// A time plot that is moved with mouse and keys.
///
/// Mouse: drag = zoom to the box (flat: time alone; narrow: values alone); Ctrl-drag or middle-drag = pan;
/// wheel = zoom, over an axis that axis alone; double-click = fit, over an axis that axis alone. Keys: Left,
/// Right step the crosshair (Shift: pan), + and − zoom, Backspace takes a zoom back, Escape returns to live.
///
/// Time is shared through the TimeView, the range of values is the plot's own: it fits what is seen until
/// somebody zooms. The lines are drawn once into a pixmap; the crosshair moves above it. Repaints at most 25
/// times a second.
class PlotWidget : public QWidget {
  Q_OBJECT

 public:
  /// The view must outlive the widget.
  PlotWidget(TimeView& view, const Theme& theme, QWidget* parent = nullptr);

  void set_theme(const Theme& theme);
  /// Series within must live until the next call.
  void set_content(PlotContent content);
  const PlotContent& content() const { return content_; }
  /// What is seen now.
  PlotFrame frame() const;
  /// Where the lines are, in the widget's coordinates.
  QRect area() const;
  bool values_fixed() const { return values_.has_value(); }
  void fix_values(std::optional<ValueRange> values);
  /// Something that is drawn has changed: repaints soon.
  void refresh();
  /// How often the lines were drawn; for tests of the bound on repaints.
  std::uint64_t paints() const { return paints_; }
  /// As the screen has it, of any size, crosshair included; for files and the clipboard.
  void render_to(QPainter& painter, const QRect& rect) const;

  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

  static constexpr int kFrameInterval = 40;  ///< ms

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;

 private:
  enum class Drag { kNone, kBox, kPan };
  enum class Zone { kArea, kTimeAxis, kValueAxis };
  struct ValueZoom {
    std::size_t depth;  ///< of the view's stack, when it was done
    std::optional<ValueRange> before;
  };
  Zone zone_at(const QPointF& position) const;
  double time_at(double x) const;
  AxisScale value_scale() const;
  void zoom_values(double anchor, double factor);
  void zoom_to_box();
  void remember(std::optional<ValueRange> before);
  void forget_deeper_zooms();
  void step_cursor(int direction);
  void end_drag();

  TimeView& view_;
  Theme theme_;
  PlotContent content_;
  std::optional<ValueRange> values_;  ///< set: zoomed to
  std::vector<ValueZoom> value_zooms_;
  QPixmap cache_;
  bool stale_ = true;
  QTimer pace_;
  QElapsedTimer since_paint_;
  std::uint64_t paints_ = 0;

  Drag drag_ = Drag::kNone;
  QPointF drag_from_;
  QPointF drag_at_;
  bool keyboard_cursor_ = false;
};

}  // namespace duet::dashboard
