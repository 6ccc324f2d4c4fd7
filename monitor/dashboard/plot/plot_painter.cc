#include "dashboard/plot/plot_painter.h"

#include <QPainterPath>
#include <QPolygonF>
#include <algorithm>
#include <cmath>

#include "dashboard/data/number_text.h"
#include "dashboard/plot/column_reducer.h"

namespace duet::dashboard {

namespace {

constexpr int kTickLength = 4;
constexpr int kGap = 5;
/// Up to this many lines are smoothed; more cost too much, and cover each other anyway.
constexpr std::size_t kSmoothCurves = 40;
/// More lines than this hide each other's detail: each further as many share columns that are a pixel wider.
/// A spike is seen all the same, in its column's extremes.
constexpr std::size_t kFineCurves = 20;
constexpr int kWidestColumn = 4;  ///< pixels

QFont scaled(QFont font, double factor) {
  if (font.pixelSize() > 0) {
    font.setPixelSize(std::max(1, qRound(font.pixelSize() * factor)));
  } else {
    font.setPointSizeF(font.pointSizeF() * factor);
  }
  return font;
}

QFont bold(QFont font) {
  font.setWeight(QFont::DemiBold);
  return font;
}

/// Keeps coordinates where the raster engine is exact and quick.
double tame(double pixel) {
  return std::clamp(pixel, -1e5, 1e5);
}

}  // namespace

PlotPainter::PlotPainter(const Theme& theme, const QFont& font)
    : theme_(theme), font_(font), bold_(bold(font)), small_(scaled(font, 0.9)) {}

QRect PlotPainter::area(const QRect& rect) const {
  const QFontMetrics small(small_);
  const int left = small.horizontalAdvance(QStringLiteral("−0.00005")) + kTickLength + 2 * kGap;
  const int top = QFontMetrics(bold_).height() + kGap;
  const int bottom = small.height() + kTickLength + 3;
  // The last time label is centred on its tick and must not be cut.
  const int right = small.horizontalAdvance(QStringLiteral("0:00:00")) / 2 + 2;
  return rect.adjusted(left, top, -right, -bottom);
}

AxisScale PlotPainter::time_scale(const QRect& rect, const PlotContent& content,
                                  const PlotFrame& frame) const {
  const QRect inner = area(rect);
  return {content.along, {frame.time.from, frame.time.to}, double(inner.left()), double(inner.right() + 1)};
}

AxisScale PlotPainter::value_scale(const QRect& rect, const PlotContent& content,
                                   const PlotFrame& frame) const {
  const QRect inner = area(rect);
  return {content.scale, frame.values, double(inner.bottom() + 1), double(inner.top())};
}

void PlotPainter::paint(QPainter& painter, const QRect& rect, const PlotContent& content,
                        const PlotFrame& frame) const {
  painter.save();
  painter.setClipRect(rect);
  painter.fillRect(rect, theme_.surface);
  const QRect inner = area(rect);
  if (inner.width() < 20 || inner.height() < 20) {
    painter.restore();
    return;
  }
  const AxisScale values = value_scale(rect, content, frame);
  paint_title(painter, rect, content, values.base(most_values(inner)));
  paint_value_axis(painter, rect, values);
  paint_time_axis(painter, rect, content, frame);
  painter.setPen(QPen(theme_.frame, 1));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(inner);

  const AxisScale times = time_scale(rect, content, frame);
  painter.setClipRect(inner);
  bool anything = false;
  for (const Band& band : content.bands) {
    paint_band(painter, band, inner, frame, values);
    anything = anything || (band.low != nullptr && !band.low->empty());
  }
  const bool smooth = content.curves.size() <= kSmoothCurves;
  const int dense = std::clamp(static_cast<int>(content.curves.size() / kFineCurves), 1, kWidestColumn);
  for (const bool on_top : {false, true}) {
    for (const Curve& curve : content.curves) {
      if (curve.series == nullptr || curve.on_top != on_top) continue;
      anything = anything || !curve.series->empty();
      paint_curve(painter, curve, inner, frame, values, smooth || on_top, on_top ? 1 : dense);
    }
  }
  painter.setRenderHint(QPainter::Antialiasing, true);
  for (const Overlay& overlay : content.overlays) {
    QPolygonF line;
    for (const Sample& point : overlay.points) {
      line.append({tame(times.to_pixel(point.time)), tame(values.to_pixel(point.value))});
    }
    painter.setPen(QPen(overlay.color, 1.4, Qt::DashLine));
    painter.drawPolyline(line);
  }
  painter.setClipRect(rect);
  // Not finite: a cross that sits on the time axis.
  for (const Mark& mark : content.marks) {
    if (!frame.time.contains(mark.time)) continue;
    const double x = qRound(times.to_pixel(mark.time));
    const double y = inner.bottom() + 1;
    painter.setPen(QPen(mark.color, 2.0));
    painter.drawLine(QPointF(x - 4, y - 4), QPointF(x + 4, y + 4));
    painter.drawLine(QPointF(x - 4, y + 4), QPointF(x + 4, y - 4));
    anything = true;
  }
  if (!anything && !content.empty_text.isEmpty()) {
    painter.setPen(theme_.muted);
    painter.setFont(font_);
    painter.drawText(inner, Qt::AlignCenter | Qt::TextWordWrap, content.empty_text);
  }
  painter.restore();
}

int PlotPainter::most_values(const QRect& inner) const {
  return std::clamp(inner.height() / (QFontMetrics(small_).height() * 2), 2, 8);
}

void PlotPainter::paint_title(QPainter& painter, const QRect& rect, const PlotContent& content,
                              double base) const {
  const QRect inner = area(rect);
  const QFontMetrics metrics(bold_);
  const QFontMetrics small(small_);
  const int baseline = rect.top() + 2 + metrics.ascent();
  int x = rect.left() + kGap;
  painter.setFont(bold_);
  painter.setPen(theme_.text);
  painter.drawText(x, baseline, content.title);
  x += metrics.horizontalAdvance(content.title);
  painter.setFont(small_);
  QString unit = content.unit.isEmpty() ? QString() : QStringLiteral("(%1)").arg(content.unit);
  if (base != 0) unit += QStringLiteral(" counted from ") + with_minus(QString::number(base, 'g', 12));
  if (!unit.isEmpty()) {
    painter.setPen(theme_.muted);
    painter.drawText(x + kGap, baseline, unit);
    x += kGap + small.horizontalAdvance(unit);
  }
  x += 2 * kGap;
  // The note goes first to the right edge; the key takes what is left, whole entries only.
  int right = inner.right();
  if (const int width = small.horizontalAdvance(content.note); width > 0 && right - width > x) {
    painter.setPen(theme_.text);
    painter.drawText(right - width, baseline, content.note);
    right -= width + 2 * kGap;
  }
  const auto entry = [&](const QString& name, const auto& swatch) {
    constexpr int kSwatch = 18;
    const int width = kSwatch + 4 + small.horizontalAdvance(name) + 2 * kGap;
    if (name.isEmpty() || x + width > right) return;
    swatch(QRectF(x, baseline - small.ascent() * 0.75, kSwatch, small.ascent() * 0.7));
    painter.setPen(theme_.muted);
    painter.drawText(x + kSwatch + 4, baseline, name);
    x += width;
  };
  for (const Curve& curve : content.curves) {
    if (!curve.in_key) continue;
    entry(curve.name, [&](const QRectF& box) {
      painter.setPen(QPen(curve.color, std::max(curve.width, 1.5), curve.style));
      painter.drawLine(QPointF(box.left(), box.center().y()), QPointF(box.right(), box.center().y()));
    });
  }
  for (const Band& band : content.bands) {
    entry(band.name, [&](const QRectF& box) { painter.fillRect(box, band.color); });
  }
  for (const Overlay& overlay : content.overlays) {
    entry(overlay.name, [&](const QRectF& box) {
      painter.setPen(QPen(overlay.color, 1.4, Qt::DashLine));
      painter.drawLine(QPointF(box.left(), box.center().y()), QPointF(box.right(), box.center().y()));
    });
  }
}

void PlotPainter::paint_value_axis(QPainter& painter, const QRect& rect, const AxisScale& values) const {
  const QRect inner = area(rect);
  const QFontMetrics small(small_);
  painter.setFont(small_);
  int last_top = inner.bottom() + 2 * small.height();
  for (const Tick& tick : values.ticks(most_values(inner))) {
    const int y = qRound(values.to_pixel(tick.value));
    if (y < inner.top() || y > inner.bottom() + 1) continue;
    painter.setPen(QPen(theme_.grid, 1));
    if (!tick.label.isEmpty()) painter.drawLine(inner.left(), y, inner.right(), y);
    painter.setPen(QPen(theme_.frame, 1));
    painter.drawLine(inner.left() - (tick.label.isEmpty() ? 2 : kTickLength), y, inner.left(), y);
    if (tick.label.isEmpty() || y + small.height() / 2 > last_top) continue;
    last_top = y - small.height() / 2;
    painter.setPen(theme_.muted);
    const QRect box(rect.left(), y - small.height() / 2, inner.left() - kTickLength - 3 - rect.left(),
                    small.height());
    painter.drawText(box, Qt::AlignRight | Qt::AlignVCenter, tick.label);
  }
}

void PlotPainter::paint_time_axis(QPainter& painter, const QRect& rect, const PlotContent& content,
                                  const PlotFrame& frame) const {
  const QRect inner = area(rect);
  const QFontMetrics small(small_);
  const AxisScale times = time_scale(rect, content, frame);
  painter.setFont(small_);
  // The longest label is at one of the ends; steps are finer than this only where there is room for more of
  // them.
  const double step = std::min(frame.time.length() / 4, 1.0);
  const int widest = std::max(small.horizontalAdvance(time_text(frame.time.from - content.origin, step)),
                              small.horizontalAdvance(time_text(frame.time.to - content.origin, step)));
  const int most = std::max(1, inner.width() / (widest + 4 * kGap));
  const int label_top = inner.bottom() + 1 + kTickLength + 1;
  for (const Tick& tick : times.ticks(most, content.origin)) {
    const int x = qRound(times.to_pixel(tick.value));
    if (x < inner.left() || x > inner.right() + 1) continue;
    painter.setPen(QPen(theme_.grid, 1));
    painter.drawLine(x, inner.top(), x, inner.bottom());
    painter.setPen(QPen(theme_.frame, 1));
    painter.drawLine(x, inner.bottom() + 1, x, inner.bottom() + 1 + kTickLength);
    const int width = small.horizontalAdvance(tick.label) + 2;
    // Centred below its tick, but for one that would be cut at the right edge.
    const int left = std::min(x - width / 2, rect.right() - width);
    painter.setPen(theme_.muted);
    painter.drawText(QRect(left, label_top, width, small.height()), Qt::AlignHCenter | Qt::AlignTop,
                     tick.label);
  }
  if (content.along == ScaleKind::kTime) {
    painter.setPen(theme_.muted);
    const QString unit =
        frame.time.to - content.origin >= 3600 ? QStringLiteral("h:m:s") : QStringLiteral("m:s");
    // Where a label below the left end would not reach it, so that it need not move.
    const QRect box(rect.left(), label_top, inner.left() - widest / 2 - kGap - rect.left(), small.height());
    if (box.width() >= small.horizontalAdvance(unit))
      painter.drawText(box, Qt::AlignRight | Qt::AlignTop, unit);
  }
}

void PlotPainter::paint_band(QPainter& painter, const Band& band, const QRect& area, const PlotFrame& frame,
                             const AxisScale& values) const {
  if (band.low == nullptr || band.high == nullptr || band.low->empty() || band.high->empty()) return;
  const std::vector<Column> low = reduce(*band.low, frame.time, area.width());
  const std::vector<Column> high = reduce(*band.high, frame.time, area.width());
  QPolygonF shape;
  for (const Column& column : high) {
    shape.append({area.left() + column.column + 0.5, tame(values.to_pixel(column.max))});
  }
  for (auto column = low.rbegin(); column != low.rend(); ++column) {
    shape.append({area.left() + column->column + 0.5, tame(values.to_pixel(column->min))});
  }
  painter.setRenderHint(QPainter::Antialiasing, false);
  painter.setPen(Qt::NoPen);
  painter.setBrush(band.color);
  painter.drawPolygon(shape);
  painter.setBrush(Qt::NoBrush);
}

void PlotPainter::paint_curve(QPainter& painter, const Curve& curve, const QRect& area,
                              const PlotFrame& frame, const AxisScale& values, bool smooth,
                              int column_width) const {
  thread_local std::vector<Column> columns;
  thread_local QPolygonF line;
  const int count = std::max(1, area.width() / column_width);
  reduce(*curve.series, frame.time, count, columns);
  if (columns.empty()) return;
  line.clear();
  const double pixels = static_cast<double>(area.width()) / count;
  for (const Column& column : columns) {
    const double x = area.left() + (column.column + 0.5) * pixels;
    const auto add = [&](double value) { line.append({x, tame(values.to_pixel(value))}); };
    if (column_width > 1) {
      // Where lines hide each other, the extremes are enough.
      const bool rising = column.first <= column.last;
      add(rising ? column.min : column.max);
      if (column.min < column.max) add(rising ? column.max : column.min);
      continue;
    }
    add(column.first);
    // Only what the line from first to last would not pass anyway.
    const auto [low, high] = std::minmax(column.first, column.last);
    if (column.min < low) add(column.min);
    if (column.max > high) add(column.max);
    if (column.last != column.first || column.min < low || column.max > high) add(column.last);
  }
  painter.setRenderHint(QPainter::Antialiasing, smooth);
  // A pen of more than one pixel takes the slow way through the stroker.
  QPen pen(curve.color, smooth ? curve.width : 1.0, curve.style);
  pen.setJoinStyle(Qt::BevelJoin);
  painter.setPen(pen);
  if (line.size() == 1) {
    painter.drawEllipse(line.first(), 1.5, 1.5);
  } else {
    painter.drawPolyline(line);
  }
}

std::vector<PlotPainter::Value> PlotPainter::values_at(const PlotContent& content, const PlotFrame& frame,
                                                       double time) {
  // A line that ended long ago has no value here.
  const double reach = std::max(frame.time.length() * 0.02, 2.0);
  std::vector<Value> values;
  const auto add = [&](const Series* series, const QString& name, const QColor& color) {
    if (series == nullptr) return;
    const auto sample = series->nearest(time);
    if (sample && std::abs(sample->time - time) <= reach) values.push_back({name, color, sample->value});
  };
  for (const Curve& curve : content.curves)
    add(curve.series, curve.name, curve.color);
  for (const Band& band : content.bands) {
    add(band.high, QStringLiteral("largest"), band.color);
    add(band.low, QStringLiteral("smallest"), band.color);
  }
  std::stable_sort(values.begin(), values.end(),
                   [](const Value& a, const Value& b) { return a.value > b.value; });
  return values;
}

void PlotPainter::paint_cursor(QPainter& painter, const QRect& rect, const PlotContent& content,
                               const PlotFrame& frame, double time, bool label) const {
  const QRect inner = area(rect);
  if (!frame.time.contains(time) || inner.width() < 20 || inner.height() < 20) return;
  painter.save();
  painter.setClipRect(rect);
  const int x = qRound(time_scale(rect, content, frame).to_pixel(time));
  painter.setPen(QPen(theme_.accent, 1, Qt::DashLine));
  painter.drawLine(x, inner.top(), x, inner.bottom());
  if (label) {
    painter.setFont(small_);
    const QFontMetrics small(small_);
    std::vector<Value> values = values_at(content, frame, time);
    const int row = small.height();
    const auto room = static_cast<std::size_t>(std::max(1, (inner.height() - 2 * kGap) / row - 1));
    QString more;
    if (values.size() > room) {
      const std::size_t kept = room > 1 ? room - 1 : 1;
      more = QStringLiteral("… and %1 lower").arg(values.size() - kept);
      values.resize(kept);
    }
    const QString head = time_text(time - content.origin, frame.time.length() < 30 ? 0.1 : 1.0);
    int name_width = 0;
    int value_width = 0;
    for (const Value& value : values) {
      name_width = std::max(name_width, small.horizontalAdvance(value.name));
      value_width = std::max(value_width, small.horizontalAdvance(value_text(value.value)));
    }
    constexpr int kSwatch = 10;
    const int width = std::max({kSwatch + 4 + name_width + 2 * kGap + value_width,
                                small.horizontalAdvance(head), small.horizontalAdvance(more)}) +
                      2 * kGap;
    const int height = row * (1 + static_cast<int>(values.size()) + (more.isEmpty() ? 0 : 1)) + 4;
    int left = x + 8;
    if (left + width > inner.right()) left = std::max(inner.left(), x - 8 - width);
    const QRect box(left, inner.top() + 3, width, height);
    painter.setPen(QPen(theme_.frame, 1));
    painter.setBrush(theme_.tip);
    painter.drawRect(box);
    int y = box.top() + 2;
    painter.setPen(theme_.muted);
    painter.drawText(QRect(box.left() + kGap, y, width, row), Qt::AlignLeft | Qt::AlignVCenter, head);
    for (const Value& value : values) {
      y += row;
      painter.fillRect(QRect(box.left() + kGap, y + row / 2 - 2, kSwatch, 4), value.color);
      painter.setPen(theme_.text);
      painter.drawText(QRect(box.left() + kGap + kSwatch + 4, y, name_width + kGap, row),
                       Qt::AlignLeft | Qt::AlignVCenter, value.name);
      painter.drawText(QRect(box.left(), y, width - kGap, row), Qt::AlignRight | Qt::AlignVCenter,
                       value_text(value.value));
    }
    if (!more.isEmpty()) {
      painter.setPen(theme_.muted);
      painter.drawText(QRect(box.left() + kGap, y + row, width, row), Qt::AlignLeft | Qt::AlignVCenter, more);
    }
  }
  painter.restore();
}

}  // namespace duet::dashboard
