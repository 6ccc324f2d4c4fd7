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

  void both_ways_of_reducing_agree() {
    // Columns that are walked and columns that the pyramid answers must not differ.
    Series series(100000);
    for (int k = 0; k < 100000; ++k)
      series.append(k * 0.1, std::sin(k * 1.7) * (k % 31));
    const TimeRange range{100.03, 9000.01};
    for (const int columns : {50, 333}) {
      const std::vector<Column> fast = reduce(series, range, columns);
      std::vector<Column> slow;
      for (std::size_t k = 0; k < series.size(); ++k) {
        const Sample& sample = series.at(k);
        if (!range.contains(sample.time)) continue;
        const int column =
            std::min(columns - 1, int((sample.time - range.from) * (columns / range.length())));
        if (slow.empty() || slow.back().column != column) {
          slow.push_back({column, sample.value, sample.value, sample.value, sample.value});
        } else {
          slow.back().last = sample.value;
          slow.back().min = std::min(slow.back().min, sample.value);
          slow.back().max = std::max(slow.back().max, sample.value);
        }
      }
      QCOMPARE(fast.size(), slow.size() + 2);
      for (std::size_t k = 0; k < slow.size(); ++k)
        QVERIFY(fast[k + 1] == slow[k]);
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
