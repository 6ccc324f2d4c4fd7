#pragma once

#include <QImage>
#include <QSize>
#include <QString>
#include <functional>
#include <iosfwd>

#include "dashboard/data/series_store.h"
#include "dashboard/data/time_view.h"

class QPainter;

namespace duet::dashboard {

/// Draws into a rectangle of the given size.
using Draw = std::function<void(QPainter& painter, const QRect& rect)>;

/// PNG or SVG, by the name's ending. False, and *reason: it cannot be written, or the ending is another.
bool save_picture(const QString& path, QSize size, const Draw& draw, QString* reason);
bool save_image(const QString& path, const QImage& image, QString* reason);
QImage draw_image(QSize size, const Draw& draw);

/// All samples of all workers and of the run within `range`, one a line: time_seconds (Unix),
/// elapsed_seconds, metric, rank (empty: the run's), value. Sorted by metric, rank, time.
void write_csv(std::ostream& out, const SeriesStore& store, const TimeRange& range);
bool save_csv(const QString& path, const SeriesStore& store, const TimeRange& range, QString* reason);

}  // namespace duet::dashboard
