#include "dashboard/data/series.h"

#include <QTest>
#include <cmath>
#include <random>

#include "test_main.h"

namespace duet::dashboard {

class SeriesTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void extremes_are_those_of_a_plain_search() {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> draw(-1, 1);
    Series series(3000);
    std::vector<double> all;
    for (int k = 0; k < 7000; ++k) {
      all.push_back(draw(random));
      series.append(k, all.back());
      if (k % 97 != 0 && k < 6900) continue;
      // Also of the unfinished newest block, and after the oldest were dropped.
      const std::size_t first = all.size() - series.size();
      for (int round = 0; round < 20; ++round) {
        std::size_t begin = random() % series.size();
        std::size_t end = round % 3 == 0 ? series.size() : begin + 1 + random() % (series.size() - begin);
        const auto from = all.begin() + static_cast<std::ptrdiff_t>(first + begin);
        const auto [low, high] =
            std::minmax_element(from, all.begin() + static_cast<std::ptrdiff_t>(first + end));
        const MinMax found = series.extremes(begin, end);
        QCOMPARE(found.min, *low);
        QCOMPARE(found.max, *high);
      }
    }
  }

  void is_bounded_and_counts_what_it_drops() {
    Series series(100);
    for (int k = 0; k < 1000; ++k)
      series.append(k, k);
    QCOMPARE(series.size(), std::size_t(100));
    QCOMPARE(series.dropped(), std::uint64_t(900));
    QCOMPARE(series.front().value, 900.0);
    series.set_capacity(10);
    QCOMPARE(series.size(), std::size_t(10));
    QCOMPARE(series.dropped(), std::uint64_t(990));
    series.forget_before(995);
    QCOMPARE(series.size(), std::size_t(5));
    QCOMPARE(series.dropped(), std::uint64_t(990));
    QCOMPARE(series.extremes(0, 5).min, 995.0);
  }

  void becomes_empty_and_fills_again() {
    Series series(100);
    for (int k = 0; k < 50; ++k)
      series.append(k, k);
    series.forget_before(1e9);
    QVERIFY(series.empty());
    for (int k = 0; k < 70; ++k)
      series.append(100 + k, -k);
    QCOMPARE(series.extremes(0, series.size()).min, -69.0);
    QCOMPARE(series.extremes(0, series.size()).max, 0.0);
  }

  void time_never_runs_backwards() {
    Series series(10);
    series.append(5, 1);
    series.append(3, 2);  // a clock that jumped
    QCOMPARE(series.at(1).time, 5.0);
    series.append(std::nan(""), 3);
    QCOMPARE(series.size(), std::size_t(2));
  }

  void what_is_not_finite_is_a_mark() {
    Series series(10);
    series.append(1, 1);
    series.append(2, std::nan(""));
    series.append(3, HUGE_VAL);
    series.append(4, 2);
    QCOMPARE(series.size(), std::size_t(2));
    QCOMPARE(series.marks().size(), std::size_t(2));
    QCOMPARE(series.marks().front(), 2.0);
    for (std::size_t k = 0; k < 2 * Series::kMarks; ++k)
      series.append(5, std::nan(""));
    QCOMPARE(series.marks().size(), Series::kMarks);
  }

  void nearest() {
    Series series(10);
    QVERIFY(!series.nearest(0));
    series.append(1, 10);
    series.append(2, 20);
    QCOMPARE(series.nearest(-5)->value, 10.0);
    QCOMPARE(series.nearest(1.4)->value, 10.0);
    QCOMPARE(series.nearest(1.6)->value, 20.0);
    QCOMPARE(series.nearest(99)->value, 20.0);
  }
};

DUET_QT_TEST(Series)

}  // namespace duet::dashboard

#include "series_test.moc"
