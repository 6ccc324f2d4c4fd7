#pragma once

#include <QImage>
#include <QSize>
#include <QString>
#include <functional>

class QPainter;

namespace duet::dashboard {

/// Draws into a rectangle of the given size.
using Draw = std::function<void(QPainter& painter, const QRect& rect)>;

/// PNG or SVG, by the name's ending. False, and *reason: it cannot be written, or the ending is another.
bool save_picture(const QString& path, QSize size, const Draw& draw, QString* reason);
bool save_image(const QString& path, const QImage& image, QString* reason);
QImage draw_image(QSize size, const Draw& draw);

}  // namespace duet::dashboard
