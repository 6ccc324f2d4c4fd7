#include "dashboard/data/series_store.h"

#include <QTest>
#include <sstream>

#include "dashboard/window/csv_table.h"
#include "snapshots.h"
#include "test_main.h"

namespace duet::dashboard {

using testing::frames;
using testing::kStart;
using testing::ring_snapshot;

class SeriesStoreTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void keeps_what_came() {
    SeriesStore store;
    for (int k = 0; k < 50; ++k)
      store.apply(ring_snapshot(4, kStart + k), frames(4, kStart + k, 1.0 + k));
    QCOMPARE(store.ranks(), 4);
    QCOMPARE(store.rank(3).loss.size(), std::size_t(50));
    QCOMPARE(store.rank(3).loss.back().value, 50.0);
    QCOMPARE(store.consensus_mean().size(), std::size_t(50));
    QCOMPARE(store.consensus_min().back().value, 0.5);
    QCOMPARE(store.origin(), kStart);
    QCOMPARE(store.extent().from, kStart);
    QCOMPARE(store.extent().to, kStart + 49);
    QVERIFY(store.loss().mean.size() > 30);
    QVERIFY(std::abs(store.pairings().mean.back().value - 4.015) < 1e-9);
    QCOMPARE(store.target().mean.back().value, 5.0);
  }

  void buffer_seconds_bound_the_past() {
    SeriesStore store({.buffer_seconds = 20});
    for (int k = 0; k < 100; ++k)
      store.apply(ring_snapshot(2, kStart + k), frames(2, kStart + k));
    QVERIFY(store.rank(0).loss.size() <= 22);
    QVERIFY(store.extent().from >= kStart + 78);
    QCOMPARE(store.dropped(), std::uint64_t(0));
  }

  void most_points_bound_memory_and_the_rest_is_counted() {
    SeriesStore store({.buffer_seconds = 1e6, .most_points = 400'000});
    constexpr int kWorkers = 256;
    for (int k = 0; k < 900; ++k)
      store.apply(ring_snapshot(kWorkers, kStart + k), frames(kWorkers, kStart + k));
    QVERIFY2(store.points() <= 410'000, qPrintable(QString::number(store.points())));
    QVERIFY(store.dropped() > 0);
    // The newest are there.
    QCOMPARE(store.rank(255).loss.back().time, kStart + 899);
  }

  void a_clock_that_is_set_back_goes_on() {
    SeriesStore store;
    for (int k = 0; k < 10; ++k)
      store.apply(ring_snapshot(2, kStart + k), frames(2, kStart + k));
    const double before = store.extent().to;
    for (int k = 0; k < 10; ++k)
      store.apply(ring_snapshot(2, kStart - 3600 + k), frames(2, kStart - 3600 + k));
    QCOMPARE(store.clock_jumps(), std::uint64_t(1));
    QVERIFY(store.extent().to >= before + 8.9);
    QVERIFY(store.extent().to <= before + 11);
    QCOMPARE(store.rank(0).loss.size(), std::size_t(20));
    QVERIFY(store.rank(0).loss.back().time > before);
    // And one that is set forward leaves a gap, no more, as long as what was before is young enough to be
    // held.
    store.apply(ring_snapshot(2, kStart - 1800), frames(2, kStart - 1800));
    QCOMPARE(store.clock_jumps(), std::uint64_t(1));
    QCOMPARE(store.rank(0).loss.size(), std::size_t(21));
    // Beyond the buffer it is old, as it would be had so much time passed: forgotten, which is no drop.
    store.apply(ring_snapshot(2, kStart + 7200), frames(2, kStart + 7200));
    QCOMPARE(store.rank(0).loss.size(), std::size_t(1));
    QCOMPARE(store.dropped(), std::uint64_t(0));
  }

  void a_worker_with_a_wrong_clock_is_drawn_now() {
    SeriesStore store;
    store.apply(ring_snapshot(2, kStart + 1), frames(2, kStart + 1));
    observer::Update update = frames(2, kStart + 2);
    update.consensus[0].time = kStart + 90000;
    store.apply(ring_snapshot(2, kStart + 2), update);
    update = frames(2, kStart + 3);
    update.consensus[0].time = kStart - 90000;
    store.apply(ring_snapshot(2, kStart + 3), update);
    QCOMPARE(store.consensus_mean().back().time, kStart + 3);
    QCOMPARE(store.extent().from, kStart + 1);
  }

  void a_new_beginning_forgets() {
    SeriesStore store;
    store.apply(ring_snapshot(8, kStart + 100), frames(8, kStart + 100));
    const std::uint64_t generation = store.generation();
    observer::Update update = frames(2, kStart + 5);
    update.restarted = true;
    store.apply(ring_snapshot(2, kStart + 5), update);
    QCOMPARE(store.ranks(), 2);
    QVERIFY(store.generation() != generation);
    QCOMPARE(store.extent().to, kStart + 5);
    QCOMPARE(store.clock_jumps(), std::uint64_t(0));
  }

  void what_is_not_finite_is_marked() {
    SeriesStore store;
    store.apply(ring_snapshot(2, kStart + 1), frames(2, kStart + 1, NAN));
    QCOMPARE(store.rank(0).loss.size(), std::size_t(0));
    QCOMPARE(store.rank(0).loss.marks().size(), std::size_t(1));
  }

  void csv_has_the_visible_window() {
    SeriesStore store;
    for (int k = 0; k < 10; ++k)
      store.apply(ring_snapshot(2, kStart + k), frames(2, kStart + k, k == 4 ? NAN : 0.25 * k));
    std::ostringstream out;
    CsvTable(store, {kStart + 3, kStart + 5}).write(out);
    const QStringList lines = QString::fromStdString(out.str()).split('\n', Qt::SkipEmptyParts);
    QCOMPARE(lines[0], QString("time_seconds,elapsed_seconds,metric,rank,value"));
    QCOMPARE(lines.filter("consensus_distance,").size(), 3);
    QCOMPARE(lines.filter(",loss,1,").size(), 3);
    QCOMPARE(lines.filter(",loss,1,nan").size(), 1);
    QVERIFY(lines.contains("1700000003.000,3.000,loss,1,0.75"));
    QCOMPARE(lines.filter(",9.000,").size(), 0);
  }
};

DUET_QT_TEST(SeriesStore)

}  // namespace duet::dashboard

#include "series_store_test.moc"
