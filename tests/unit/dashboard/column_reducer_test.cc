#include "dashboard/plot/column_reducer.h"

#include <QTest>
#include <cmath>

#include "test_main.h"

namespace duet::dashboard {

class ColumnReducerTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  /// A spike of one sample among 200,000, at every zoom, at many places: it is always there at its full
  /// height.
  void no_zoom_loses_a_spike() {
    constexpr int kSamples = 200000;
    for (const int place : {0, 1, 63, 4096, 77777, kSamples / 2, kSamples - 2, kSamples - 1}) {
      Series series(kSamples);
      for (int k = 0; k < kSamples; ++k)
        series.append(k * 0.01, k == place ? 1000.0 : std::sin(k * 0.1));
      const double at = place * 0.01;
      for (double length = 2 * kSamples * 0.01; length > 0.05; length /= 3) {
        for (const double share : {0.0, 0.31, 1.0}) {
          for (const int columns : {1, 7, 800}) {
            const TimeRange range{at - share * length, at - share * length + length};
            if (!range.contains(at)) continue;  // rounding at the very edge
            double highest = -1e9;
            for (const Column& column : reduce(series, range, columns)) {
              QVERIFY(column.column >= -1 && column.column <= columns);
              if (column.column >= 0 && column.column < columns) highest = std::max(highest, column.max);
            }
            QVERIFY2(
                highest == 1000.0,
                qPrintable(
                    QString("spike %1 lost at length %2, %3 columns").arg(place).arg(length).arg(columns)));
          }
        }
      }
    }
  }

  /// Columns that are walked and columns that the pyramid answers do not differ; wide ones may begin an
  /// eighth of a column early.
  void both_ways_of_reducing_agree() {
    constexpr int kSamples = 100000;
    Series series(kSamples);
    for (int k = 0; k < kSamples; ++k)
      series.append(k * 0.1, std::sin(k * 1.7) * (k % 31));
    const TimeRange range{100.03, 9000.01};
    for (const int columns : {50, 333, 2000}) {
      const double width = range.length() / columns;
      const double early = width / 0.1 < 64 ? 0.0 : width / 8 + 1e-9;
      const std::vector<Column> reduced = reduce(series, range, columns);
      QCOMPARE(reduced.size(), static_cast<std::size_t>(columns) + 2);
      for (int column = 0; column < columns; ++column) {
        const Column& here = reduced[static_cast<std::size_t>(column) + 1];
        QCOMPARE(here.column, column);
        MinMax inner{HUGE_VAL, -HUGE_VAL};  // what is surely in this column
        MinMax outer = inner;               // what may be
        bool first = false;
        bool last = false;
        const std::size_t begin = series.lower_bound(range.from + (column - 1) * width);
        const std::size_t end = series.lower_bound(range.from + (column + 2) * width);
        for (std::size_t k = begin; k < end; ++k) {
          const auto [time, value] = series.at(k);
          if (!range.contains(time)) continue;
          const double place = (time - range.from) * (columns / range.length());
          const auto within = [&](double from, double to) {
            return std::min(columns - 1, int(place + from)) >= column &&
                   std::min(columns - 1, int(place + to)) <= column;
          };
          if (within(early / width, 0.0)) {
            outer.include({value, value});
            first = first || here.first == value;
            last = last || here.last == value;
          }
          if (within(0.0, column < columns - 1 ? early / width : 0.0)) inner.include({value, value});
        }
        QVERIFY(here.min <= inner.min && here.min >= outer.min);
        QVERIFY(here.max >= inner.max && here.max <= outer.max);
        QVERIFY(first && last);
      }
    }
  }

  /// After a silence the last samples before it are not strewn over it.
  void a_gap_stays_a_gap() {
    Series series(100000);
    for (int k = 0; k < 10003; ++k)
      series.append(k * 0.01, 1.0);
    for (int k = 0; k < 10000; ++k)
      series.append(900 + k * 0.01, 2.0);
    for (const Column& column : reduce(series, {0, 1000}, 100)) {
      QVERIFY2(column.column <= 11 || column.column >= 90, qPrintable(QString::number(column.column)));
      if (column.column <= 11) QCOMPARE(column.max, 1.0);
      if (column.column >= 90) QCOMPARE(column.min, 2.0);
    }
  }

  void lines_run_to_the_edges() {
    Series series(10);
    series.append(0, 1);
    series.append(100, 2);
    const auto columns = reduce(series, {40, 60}, 10);
    QCOMPARE(columns.size(), std::size_t(2));
    QCOMPARE(columns[0].column, -1);
    QCOMPARE(columns[1].column, 10);
  }

  void nothing_to_reduce() {
    Series series(10);
    QVERIFY(reduce(series, {0, 1}, 100).empty());
    series.append(0, 1);
    QVERIFY(reduce(series, {0, 1}, 0).empty());
    QVERIFY(reduce(series, {1, 1}, 10).empty());
    QVERIFY(reduce(series, {2, 1}, 10).empty());
  }
};

DUET_QT_TEST(ColumnReducer)

}  // namespace duet::dashboard

#include "column_reducer_test.moc"
