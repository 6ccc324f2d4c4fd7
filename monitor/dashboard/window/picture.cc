#include "dashboard/window/picture.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QPainter>
#include <QSaveFile>
#include <QSvgGenerator>

namespace duet::dashboard {

namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("Picture", text);
}

bool fail(QString* reason, const QString& text) {
  if (reason != nullptr) *reason = text;
  return false;
}

}  // namespace

QImage draw_image(QSize size, const Draw& draw) {
  QImage image(size, QImage::Format_RGB32);
  image.fill(Qt::white);
  QPainter painter(&image);
  draw(painter, image.rect());
  return image;
}

bool save_image(const QString& path, const QImage& image, QString* reason) {
  // Complete, or not at all: a picture that somebody fetches meanwhile is never half of one.
  QSaveFile file(path);
  if (!file.open(QIODevice::WriteOnly))
    return fail(reason, tr("cannot write %1: %2").arg(path, file.errorString()));
  if (!image.save(&file, "PNG")) return fail(reason, tr("cannot write %1 as PNG").arg(path));
  if (!file.commit()) return fail(reason, tr("cannot write %1: %2").arg(path, file.errorString()));
  return true;
}

bool save_picture(const QString& path, QSize size, const Draw& draw, QString* reason) {
  const QString ending = QFileInfo(path).suffix().toLower();
  if (ending == QStringLiteral("png")) return save_image(path, draw_image(size, draw), reason);
  if (ending != QStringLiteral("svg")) {
    return fail(reason, tr("%1: the name must end in .png or .svg").arg(path));
  }
  QSaveFile file(path);
  if (!file.open(QIODevice::WriteOnly))
    return fail(reason, tr("cannot write %1: %2").arg(path, file.errorString()));
  QSvgGenerator svg;
  svg.setOutputDevice(&file);
  svg.setSize(size);
  svg.setViewBox(QRect(QPoint(), size));
  svg.setTitle(tr("Duet dashboard"));
  QPainter painter;
  if (!painter.begin(&svg)) return fail(reason, tr("cannot write %1 as SVG").arg(path));
  draw(painter, QRect(QPoint(), size));
  painter.end();
  if (!file.commit()) return fail(reason, tr("cannot write %1: %2").arg(path, file.errorString()));
  return true;
}

}  // namespace duet::dashboard
