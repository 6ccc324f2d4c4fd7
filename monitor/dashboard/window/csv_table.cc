#include "dashboard/window/csv_table.h"

#include <QCoreApplication>
#include <QSaveFile>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace duet::dashboard {

namespace {

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

CsvTable::CsvTable(const SeriesStore& store, const TimeRange& range) : origin_(store.origin()) {
  const auto copy = [&](const char* metric, int rank, const Series& series) {
    Rows rows{metric, rank, {}, {}};
    const std::size_t begin = series.lower_bound(range.from);
    const std::size_t end = series.lower_bound(std::nextafter(range.to, HUGE_VAL), begin);
    rows.samples.reserve(end - begin);
    for (std::size_t k = begin; k < end; ++k)
      rows.samples.push_back(series.at(k));
    for (const double mark : series.marks()) {
      if (range.contains(mark)) rows.marks.push_back(mark);
    }
    rows_.push_back(std::move(rows));
  };
  copy("consensus_distance", -1, store.consensus_mean());
  copy("consensus_distance_max", -1, store.consensus_max());
  copy("loss_mean", -1, store.loss().mean);
  copy("pairings_per_second_mean", -1, store.pairings().mean);
  copy("target_pairings_per_second_mean", -1, store.target().mean);
  for (int rank = 0; rank < store.ranks(); ++rank)
    copy("distance_to_mean", rank, store.rank(rank).distance);
  for (int rank = 0; rank < store.ranks(); ++rank)
    copy("loss", rank, store.rank(rank).loss);
  for (int rank = 0; rank < store.ranks(); ++rank)
    copy("pairings_per_second", rank, store.rank(rank).pairings);
}

void CsvTable::write(std::ostream& out) const {
  out << "time_seconds,elapsed_seconds,metric,rank,value\n";
  for (const Rows& rows : rows_) {
    const std::string name = "," + std::string(rows.metric) + "," +
                             (rows.rank < 0 ? std::string() : std::to_string(rows.rank)) + ",";
    const auto line = [&](double time, const std::string& value) {
      out << fixed(time, 3) << ',' << fixed(time - origin_, 3) << name << value << '\n';
    };
    for (const Sample& sample : rows.samples)
      line(sample.time, exact(sample.value));
    for (const double mark : rows.marks)
      line(mark, "nan");
  }
}

bool CsvTable::save(const QString& path, QString* reason) const {
  QSaveFile file(path);
  std::ostringstream text;
  bool good = file.open(QIODevice::WriteOnly);
  if (good) {
    write(text);
    // Not str(): of an hour it would be some hundred megabytes twice.
    const std::string_view bytes = text.view();
    const auto size = static_cast<qint64>(bytes.size());
    good = file.write(bytes.data(), size) == size && file.commit();
  }
  if (!good && reason != nullptr) {
    *reason = QCoreApplication::translate("CsvTable", "cannot write %1: %2").arg(path, file.errorString());
  }
  return good;
}

}  // namespace duet::dashboard
