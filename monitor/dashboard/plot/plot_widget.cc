#include "dashboard/plot/plot_widget.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>
#include <utility>

#include "dashboard/plot/plot_painter.h"

namespace duet::dashboard {

namespace {
/// A box flatter than this zooms time alone, a narrower one values alone; smaller both ways it was a click.
constexpr double kLeastDrag = 6.0;
constexpr double kWheelZoom = 0.8;  ///< for one notch
constexpr double kKeyZoom = 0.7;
constexpr double kKeyPan = 0.1;  ///< of what is seen
}  // namespace

PlotWidget::PlotWidget(TimeView& view, const Theme& theme, QWidget* parent)
    : QWidget(parent), view_(view), theme_(theme) {
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAttribute(Qt::WA_OpaquePaintEvent);
  pace_.setSingleShot(true);
  connect(&pace_, &QTimer::timeout, this, QOverload<>::of(&QWidget::update));
  connect(&view_, &TimeView::changed, this, &PlotWidget::forget_deeper_zooms);
  connect(&view_, &TimeView::changed, this, &PlotWidget::refresh);
  connect(&view_, &TimeView::cursor_changed, this, QOverload<>::of(&QWidget::update));
  connect(&view_, &TimeView::went_live, this, [this] { fix_values(std::nullopt); });
}

void PlotWidget::set_theme(const Theme& theme) {
  theme_ = theme;
  refresh();
}

void PlotWidget::set_content(PlotContent content) {
  content_ = std::move(content);
  setAccessibleName(content_.title);
  refresh();
}

PlotFrame PlotWidget::frame() const {
  const TimeRange time = view_.range();
  return {time, values_ ? *values_ : fitting_values(content_, time)};
}

QRect PlotWidget::area() const {
  return PlotPainter(theme_, font()).area(rect());
}

void PlotWidget::fix_values(std::optional<ValueRange> values) {
  if (!values) value_zooms_.clear();
  values_ = values;
  refresh();
}

void PlotWidget::refresh() {
  stale_ = true;
  if (pace_.isActive()) return;
  const qint64 passed = since_paint_.isValid() ? since_paint_.elapsed() : kFrameInterval;
  if (passed >= kFrameInterval) {
    update();
  } else {
    pace_.start(static_cast<int>(kFrameInterval - passed));
  }
}

QSize PlotWidget::sizeHint() const {
  return {640, 200};
}
QSize PlotWidget::minimumSizeHint() const {
  return {220, 90};
}

void PlotWidget::paintEvent(QPaintEvent*) {
  const double ratio = devicePixelRatioF();
  const QSize wanted = size() * ratio;
  // What came in between two ticks of the pace waits; a cache of the wrong size cannot.
  if (cache_.size() != wanted || (stale_ && !pace_.isActive())) {
    if (cache_.size() != wanted) cache_ = QPixmap(wanted);
    cache_.setDevicePixelRatio(ratio);
    QPainter painter(&cache_);
    PlotPainter(theme_, font()).paint(painter, rect(), content_, frame());
    stale_ = false;
    ++paints_;
    since_paint_.start();
  }
  QPainter painter(this);
  painter.drawPixmap(0, 0, cache_);
  if (view_.cursor() && drag_ == Drag::kNone) {
    PlotPainter(theme_, font())
        .paint_cursor(painter, rect(), content_, frame(), *view_.cursor(), underMouse() || hasFocus());
  }
  if (drag_ == Drag::kBox) {
    QColor fill = theme_.accent;
    fill.setAlpha(40);
    painter.setPen(QPen(theme_.accent, 1));
    painter.setBrush(fill);
    painter.drawRect(QRectF(drag_from_, drag_at_).normalized().intersected(QRectF(area())));
  }
  if (hasFocus()) {
    painter.setPen(QPen(theme_.accent, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
  }
}

void PlotWidget::render_to(QPainter& painter, const QRect& rect) const {
  const PlotPainter plot(theme_, font());
  plot.paint(painter, rect, content_, frame());
  if (view_.cursor()) plot.paint_cursor(painter, rect, content_, frame(), *view_.cursor(), true);
}

void PlotWidget::resizeEvent(QResizeEvent*) {
  stale_ = true;
}

void PlotWidget::changeEvent(QEvent* event) {
  if (event->type() == QEvent::FontChange) refresh();
  QWidget::changeEvent(event);
}

PlotWidget::Zone PlotWidget::zone_at(const QPointF& position) const {
  const QRect inner = area();
  if (position.x() < inner.left()) return Zone::kValueAxis;
  if (position.y() > inner.bottom()) return Zone::kTimeAxis;
  return Zone::kArea;
}

double PlotWidget::time_at(double x) const {
  return PlotPainter(theme_, font()).time_scale(rect(), content_, frame()).to_value(x);
}

AxisScale PlotWidget::value_scale() const {
  return PlotPainter(theme_, font()).value_scale(rect(), content_, frame());
}

void PlotWidget::mousePressEvent(QMouseEvent* event) {
  const bool pans = event->button() == Qt::MiddleButton ||
                    (event->button() == Qt::LeftButton && event->modifiers() & Qt::ControlModifier);
  if (!pans && event->button() != Qt::LeftButton) {
    end_drag();
    return QWidget::mousePressEvent(event);
  }
  drag_ = pans ? Drag::kPan : Drag::kBox;
  drag_from_ = drag_at_ = event->position();
  event->accept();
}

void PlotWidget::mouseMoveEvent(QMouseEvent* event) {
  const QPointF at = event->position();
  if (drag_ == Drag::kPan) {
    const QPointF moved = at - drag_at_;
    const QRect inner = area();
    if (inner.width() > 0 && moved.x() != 0)
      view_.pan_by(-moved.x() * view_.range().length() / inner.width());
    if (values_ && moved.y() != 0) {
      const AxisScale scale = value_scale();
      values_ =
          ValueRange{scale.to_value(inner.bottom() + 1 - moved.y()), scale.to_value(inner.top() - moved.y())};
      refresh();
    }
    drag_at_ = at;
    return;
  }
  drag_at_ = at;
  keyboard_cursor_ = false;
  const QRect inner = area();
  if (inner.left() <= at.x() && at.x() <= inner.right() + 1) {
    view_.set_cursor(time_at(at.x()));
  } else if (drag_ == Drag::kNone) {
    view_.set_cursor(std::nullopt);
  }
  if (drag_ == Drag::kBox) update();
}

void PlotWidget::mouseReleaseEvent(QMouseEvent* event) {
  drag_at_ = event->position();
  if (drag_ == Drag::kBox) zoom_to_box();
  end_drag();
}

void PlotWidget::end_drag() {
  if (drag_ == Drag::kNone) return;
  drag_ = Drag::kNone;
  update();
}

void PlotWidget::zoom_to_box() {
  const QRectF box = QRectF(drag_from_, drag_at_).normalized();
  // From an axis it is that axis's range that was drawn.
  const Zone zone = zone_at(drag_from_);
  const bool wide = box.width() >= kLeastDrag && zone != Zone::kValueAxis;
  const bool high = box.height() >= kLeastDrag && zone != Zone::kTimeAxis;
  if (!wide && !high) return;
  const QRectF inside = box.intersected(QRectF(area()));
  const AxisScale scale = value_scale();
  const ValueRange values{scale.to_value(std::min<double>(box.bottom(), area().bottom() + 1)),
                          scale.to_value(std::max<double>(box.top(), area().top()))};
  const TimeRange times{time_at(inside.left()), time_at(inside.right())};
  if (wide) {
    view_.zoom_to(times);
  } else {
    // Values alone: the view's stack gets an entry too, so that taking back goes in order.
    view_.zoom_to(view_.range());
  }
  if (high) {
    remember(values_);
    values_ = values;
  }
  refresh();
}

/// The values that this plot had before the view's newest zoom.
void PlotWidget::remember(std::optional<ValueRange> before) {
  if (value_zooms_.empty() || value_zooms_.back().depth < view_.depth())
    value_zooms_.push_back({view_.depth(), before});
}

/// A zoom is taken back in all plots, whichever had the keys.
void PlotWidget::forget_deeper_zooms() {
  while (!value_zooms_.empty() && value_zooms_.back().depth > view_.depth()) {
    values_ = value_zooms_.back().before;
    value_zooms_.pop_back();
  }
}

void PlotWidget::mouseDoubleClickEvent(QMouseEvent* event) {
  end_drag();
  if (event->button() != Qt::LeftButton) return;
  const Zone zone = zone_at(event->position());
  if (zone != Zone::kTimeAxis) fix_values(std::nullopt);
  if (zone != Zone::kValueAxis) view_.fit();
}

void PlotWidget::zoom_values(double anchor, double factor) {
  const AxisScale scale = value_scale();
  const QRect inner = area();
  const double low = inner.bottom() + 1;
  const double high = inner.top();
  values_ = ValueRange{scale.to_value(anchor + (low - anchor) * factor),
                       scale.to_value(anchor + (high - anchor) * factor)};
  refresh();
}

void PlotWidget::wheelEvent(QWheelEvent* event) {
  const double notches = event->angleDelta().y() / 120.0;
  if (notches == 0) return event->ignore();
  const double factor = std::pow(kWheelZoom, std::clamp(notches, -10.0, 10.0));
  const QPointF at = event->position();
  const Zone zone = zone_at(at);
  if (zone == Zone::kValueAxis) {
    zoom_values(at.y(), factor);
  } else {
    view_.zoom_at(time_at(at.x()), factor);
    // Values that fit by themselves go on fitting; those that were zoomed to are zoomed further.
    if (zone == Zone::kArea && values_) {
      remember(values_);
      zoom_values(at.y(), factor);
    }
  }
  event->accept();
}

void PlotWidget::step_cursor(int direction) {
  const TimeRange range = view_.range();
  std::optional<double> from = view_.cursor();
  if (!from || !range.contains(*from))
    from = direction > 0 ? std::nextafter(range.from, -HUGE_VAL) : range.to;
  // The next moment at which any of the lines has a sample.
  std::optional<double> next;
  const auto consider = [&](const Series* series) {
    if (series == nullptr || series->empty()) return;
    if (direction > 0) {
      const std::size_t index = series->lower_bound(std::nextafter(*from, HUGE_VAL));
      if (index < series->size() && (!next || series->at(index).time < *next)) next = series->at(index).time;
    } else {
      const std::size_t index = series->lower_bound(*from);
      if (index > 0 && (!next || series->at(index - 1).time > *next)) next = series->at(index - 1).time;
    }
  };
  for (const Curve& curve : content_.curves)
    consider(curve.series);
  for (const Band& band : content_.bands)
    consider(band.high);
  if (!next || !range.contains(*next)) return;
  keyboard_cursor_ = true;
  view_.set_cursor(*next);
}

void PlotWidget::keyPressEvent(QKeyEvent* event) {
  const TimeRange range = view_.range();
  const double anchor =
      view_.cursor() && range.contains(*view_.cursor()) ? *view_.cursor() : (range.from + range.to) / 2;
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right: {
      const int direction = event->key() == Qt::Key_Right ? 1 : -1;
      if (shift) {
        view_.pan_by(direction * kKeyPan * range.length());
      } else {
        step_cursor(direction);
      }
      return;
    }
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      return view_.zoom_at(anchor, kKeyZoom);
    case Qt::Key_Minus:
      return view_.zoom_at(anchor, 1 / kKeyZoom);
    case Qt::Key_Backspace:
      return view_.zoom_back();
    case Qt::Key_Escape:
      if (drag_ != Drag::kNone) return end_drag();
      return view_.go_live();
    default:
      QWidget::keyPressEvent(event);
  }
}

void PlotWidget::leaveEvent(QEvent*) {
  if (!keyboard_cursor_) view_.set_cursor(std::nullopt);
}

void PlotWidget::focusOutEvent(QFocusEvent* event) {
  if (keyboard_cursor_) {
    keyboard_cursor_ = false;
    view_.set_cursor(std::nullopt);
  }
  QWidget::focusOutEvent(event);
}

}  // namespace duet::dashboard
