#include "dashboard/window/exporter.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QPainter>
#include <QSaveFile>
#include <QSvgGenerator>
#include <charconv>
#include <cmath>
#include <ostream>
#include <sstream>
#include <string_view>

namespace duet::dashboard {

namespace {

QString tr(const char* text) {
  return QCoreApplication::translate("Exporter", text);
}

bool fail(QString* reason, const QString& text) {
  if (reason != nullptr) *reason = text;
  return false;
}

/// The shortest text that reads back as the same number, whatever the locale.
std::string exact(double value) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

std::string fixed(double value, int digits) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, digits);
  return {text, end.ptr};
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

void write_csv(std::ostream& out, const SeriesStore& store, const TimeRange& range) {
  out << "time_seconds,elapsed_seconds,metric,rank,value\n";
  const auto rows = [&](const char* metric, int rank, const Series& series) {
    const std::string name =
        "," + std::string(metric) + "," + (rank < 0 ? std::string() : std::to_string(rank)) + ",";
    const std::size_t end = series.lower_bound(std::nextafter(range.to, HUGE_VAL));
    for (std::size_t k = series.lower_bound(range.from); k < end; ++k) {
      const Sample& sample = series.at(k);
      out << fixed(sample.time, 3) << ',' << fixed(sample.time - store.origin(), 3) << name
          << exact(sample.value) << '\n';
    }
    for (const double mark : series.marks()) {
      if (range.contains(mark))
        out << fixed(mark, 3) << ',' << fixed(mark - store.origin(), 3) << name << "nan\n";
    }
  };
  rows("consensus_distance", -1, store.consensus_mean());
  rows("consensus_distance_max", -1, store.consensus_max());
  rows("loss_mean", -1, store.loss().mean);
  rows("pairings_per_second_mean", -1, store.pairings().mean);
  rows("target_pairings_per_second_mean", -1, store.target().mean);
  for (int rank = 0; rank < store.ranks(); ++rank)
    rows("distance_to_mean", rank, store.rank(rank).distance);
  for (int rank = 0; rank < store.ranks(); ++rank)
    rows("loss", rank, store.rank(rank).loss);
  for (int rank = 0; rank < store.ranks(); ++rank)
    rows("pairings_per_second", rank, store.rank(rank).pairings);
}

bool save_csv(const QString& path, const SeriesStore& store, const TimeRange& range, QString* reason) {
  QSaveFile file(path);
  if (!file.open(QIODevice::WriteOnly))
    return fail(reason, tr("cannot write %1: %2").arg(path, file.errorString()));
  std::ostringstream text;
  write_csv(text, store, range);
  // Not str(): of an hour it would be some hundred megabytes twice.
  const std::string_view bytes = text.view();
  if (file.write(bytes.data(), static_cast<qint64>(bytes.size())) != static_cast<qint64>(bytes.size()) ||
      !file.commit()) {
    return fail(reason, tr("cannot write %1: %2").arg(path, file.errorString()));
  }
  return true;
}

}  // namespace duet::dashboard
