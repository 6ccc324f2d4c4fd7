#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "dashboard/data/event_model.h"
#include "dashboard/data/worker_model.h"
#include "dashboard/panels/events_panel.h"
#include "dashboard/panels/workers_panel.h"
#include "snapshots.h"
#include "test_main.h"

namespace duet::dashboard {

using testing::frames;
using testing::kStart;
using testing::ring_snapshot;

/// Worker table and event log: rows 1 and 2 of what users are promised.
class TablesTest : public QObject {
  Q_OBJECT

  static observer::Update changed(std::vector<int> ranks) {
    observer::Update update;
    update.changed = true;
    update.workers = std::move(ranks);
    return update;
  }

 private Q_SLOTS:
  void workers_are_patched_never_reset() {
    WorkerModel model(Theme::light());
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
    QSignalSpy inserted(&model, &QAbstractItemModel::rowsInserted);
    QSignalSpy data(&model, &QAbstractItemModel::dataChanged);
    observer::Snapshot snapshot = ring_snapshot(8);
    model.apply(snapshot, changed({0, 1, 2, 3, 4, 5, 6, 7}));
    QCOMPARE(model.rowCount(), 8);
    QCOMPARE(inserted.count(), 1);
    data.clear();
    // Three neighbours and one alone: two ranges, told once each. Rank 6 was named and did not change.
    for (const int rank : {1, 2, 3, 7})
      snapshot.workers[static_cast<std::size_t>(rank)].counters.steps += 5;
    model.apply(snapshot, changed({1, 2, 3, 6, 7}));
    QCOMPARE(data.count(), 2);
    QCOMPARE(data.at(0).at(0).toModelIndex().row(), 1);
    QCOMPARE(data.at(0).at(1).toModelIndex().row(), 3);
    QCOMPARE(data.at(1).at(0).toModelIndex().row(), 7);
    // Every other one: as one range, or the view would sort a hundred times.
    data.clear();
    observer::Snapshot many = ring_snapshot(64);
    WorkerModel large(Theme::light());
    large.apply(many, changed({}));
    QSignalSpy told(&large, &QAbstractItemModel::dataChanged);
    std::vector<int> even;
    for (int rank = 0; rank < 64; rank += 2) {
      many.workers[static_cast<std::size_t>(rank)].counters.steps += 5;
      even.push_back(rank);
    }
    large.apply(many, changed(even));
    QCOMPARE(told.count(), 1);
    QCOMPARE(told.at(0).at(0).toModelIndex().row(), 0);
    QCOMPARE(told.at(0).at(1).toModelIndex().row(), 62);
    // Ages: one range of one column, once a second.
    data.clear();
    for (int k = 1; k <= 20; ++k) {
      snapshot.time = kStart + k * 0.1;
      model.advance(snapshot);
    }
    QVERIFY(data.count() >= 1 && data.count() <= 3);
    // A new run with fewer workers.
    observer::Update restart = changed({});
    restart.restarted = true;
    model.apply(ring_snapshot(3), restart);
    QCOMPARE(model.rowCount(), 3);
    QCOMPARE(reset.count(), 0);
  }

  void every_column_has_its_text() {
    WorkerModel model(Theme::light());
    observer::Snapshot snapshot = ring_snapshot(2);
    observer::Worker& worker = snapshot.workers[1];
    worker.counters.steps = 1234567;
    worker.waiting_share = 0.257;
    worker.sent_bytes_per_second = 1.5e6;
    worker.received_bytes_per_second = 0.5e6;
    worker.state = observer::WorkerState::kStalled;
    worker.last_heard = kStart - 2.5;
    snapshot.workers[0].steps_per_second.reset();
    model.apply(snapshot, changed({0, 1}));
    const auto text = [&](int row, int column) { return model.index(row, column).data().toString(); };
    QCOMPARE(text(1, WorkerModel::kRank), QString("1"));
    QCOMPARE(text(1, WorkerModel::kHost), QString("node1"));
    QCOMPARE(text(1, WorkerModel::kState), QString("stalled"));
    QCOMPARE(text(1, WorkerModel::kSteps), QString("1,234,567"));
    QCOMPARE(text(1, WorkerModel::kStepsPerSecond), QString("5.00"));
    QCOMPARE(text(1, WorkerModel::kPairingsPerSecond), QString("4.50"));
    QCOMPARE(text(1, WorkerModel::kWaiting), QString("25.7 %"));
    QCOMPARE(text(1, WorkerModel::kBytesPerSecond), QString("2.00 MB/s"));
    QCOMPARE(text(1, WorkerModel::kDistance), QString("0.2000"));
    QCOMPARE(text(1, WorkerModel::kHeartbeat), QString("2.5 s"));
    QCOMPARE(text(0, WorkerModel::kStepsPerSecond), QString("–"));
    for (int column = 0; column < WorkerModel::kColumns; ++column) {
      QVERIFY(!model.headerData(column, Qt::Horizontal).toString().isEmpty());
    }
    snapshot.workers[1].finite = false;
    model.apply(snapshot, changed({1}));
    QCOMPARE(text(1, WorkerModel::kState), QString("stalled, not finite"));
  }

  void sorts_by_numbers_and_filters() {
    WorkerModel model(Theme::light());
    Selection selection;
    selection.set_workers(12);
    WorkersPanel panel(model, selection);
    panel.resize(900, 400);
    panel.show();
    observer::Snapshot snapshot = ring_snapshot(12);
    snapshot.workers[4].state = observer::WorkerState::kGone;
    snapshot.workers[9].state = observer::WorkerState::kStraggling;
    snapshot.workers[10].distance_to_mean.reset();
    model.apply(snapshot, changed({}));
    const auto rank_at = [&](int row) { return panel.proxy().index(row, 0).data().toInt(); };
    panel.table().sortByColumn(WorkerModel::kDistance, Qt::DescendingOrder);
    panel.table().sortByColumn(WorkerModel::kDistance, Qt::AscendingOrder);
    QCOMPARE(rank_at(0), 0);
    QCOMPARE(rank_at(11), 10);  // not known: last
    panel.table().sortByColumn(WorkerModel::kRank, Qt::DescendingOrder);
    QCOMPARE(rank_at(0), 11);  // not "9": numbers, not text
    panel.table().sortByColumn(WorkerModel::kState, Qt::AscendingOrder);
    QCOMPARE(rank_at(0), 4);  // the worst first
    QTest::keyClicks(&panel.filter(), "NODE1");
    QCOMPARE(panel.proxy().rowCount(), 3);
    panel.filter().clear();
    panel.states().setCurrentText("straggling");
    QCOMPARE(panel.proxy().rowCount(), 1);
    QCOMPARE(rank_at(0), 9);
    panel.states().setCurrentIndex(0);
    QCOMPARE(panel.proxy().rowCount(), 12);
  }

  void choosing_a_row_gives_attention_and_back() {
    WorkerModel model(Theme::light());
    Selection selection;
    selection.set_workers(5);
    WorkersPanel panel(model, selection);
    panel.resize(900, 400);
    panel.show();
    panel.activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(&panel));
    model.apply(ring_snapshot(5), changed({}));
    const QRect row = panel.table().visualRect(panel.proxy().index(3, 1));
    QTest::mouseClick(panel.table().viewport(), Qt::LeftButton, {}, row.center());
    QCOMPARE(selection.focused().value_or(-1), 3);
    QTest::keyClick(&panel.table(), Qt::Key_Up);
    QCOMPARE(selection.focused().value_or(-1), 2);
    selection.focus(4);
    QCOMPARE(panel.table().currentIndex().row(), 4);
  }

  void events_are_appended_and_bounded() {
    EventModel model(Theme::light());
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
    std::uint64_t number = 0;
    for (int batch = 0; batch < 30; ++batch) {
      observer::Update update;
      for (int k = 0; k < 100; ++k) {
        ++number;
        update.events.push_back(
            testing::event(number, observer::Severity::kInfo, "e" + std::to_string(number)));
      }
      model.apply(update, kStart);
    }
    QCOMPARE(model.rowCount(), EventModel::kMost);
    QCOMPARE(model.index(model.rowCount() - 1, EventModel::kText).data().toString(), QString("e3000"));
    QCOMPARE(model.index(0, EventModel::kText).data().toString(), QString("e1001"));
    observer::Update flood;
    for (int k = 0; k < 3 * EventModel::kMost; ++k)
      flood.events.push_back(testing::event(++number, observer::Severity::kInfo, "f"));
    model.apply(flood, kStart);
    QCOMPARE(model.rowCount(), EventModel::kMost);
    observer::Update restart;
    restart.restarted = true;
    model.apply(restart, 0);
    QCOMPARE(model.rowCount(), 0);
    QCOMPARE(reset.count(), 0);
  }

  void events_show_count_time_and_worker() {
    EventModel model(Theme::light());
    observer::Update update;
    update.events.push_back(testing::event(65, observer::Severity::kWarning, "garbage", 3));
    update.events.back().count = 250;
    update.events.back().peer = 4;
    model.apply(update, kStart);
    QCOMPARE(model.index(0, EventModel::kTime).data().toString(), QString("1:05.0"));
    QCOMPARE(model.index(0, EventModel::kSeverity).data().toString(), QString("warning"));
    QCOMPARE(model.index(0, EventModel::kWorker).data().toString(), QString("3 – 4"));
    QCOMPARE(model.index(0, EventModel::kText).data().toString(), QString("garbage (250 times)"));
  }

  void the_log_follows_unless_somebody_reads() {
    EventModel model(Theme::light());
    Selection selection;
    EventsPanel panel(model, selection);
    panel.resize(700, 200);
    panel.show();
    std::uint64_t number = 0;
    const auto add = [&](int count) {
      observer::Update update;
      for (int k = 0; k < count; ++k) {
        update.events.push_back(testing::event(
            ++number, k % 10 == 0 ? observer::Severity::kError : observer::Severity::kInfo, "x", 2));
      }
      model.apply(update, kStart);
      QTest::qWait(20);
    };
    add(100);
    QScrollBar* bar = panel.table().verticalScrollBar();
    QCOMPARE(bar->value(), bar->maximum());
    add(20);
    QCOMPARE(bar->value(), bar->maximum());
    bar->setValue(10);
    add(20);
    QCOMPARE(bar->value(), 10);
    panel.severities().setCurrentIndex(2);
    QCOMPARE(panel.proxy().rowCount(), 14);
    panel.filter().setText("nothing like it");
    QCOMPARE(panel.proxy().rowCount(), 0);
  }
};

DUET_QT_TEST(Tables)

}  // namespace duet::dashboard

#include "tables_test.moc"
