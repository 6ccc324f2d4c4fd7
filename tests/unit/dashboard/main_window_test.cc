#include "dashboard/window/main_window.h"

#include <QApplication>
#include <QClipboard>
#include <QDockWidget>
#include <QFile>
#include <QImage>
#include <QSignalSpy>
#include <QStatusBar>
#include <QStyleFactory>
#include <QTemporaryDir>
#include <QTest>
#include <QTextBrowser>
#include <QThreadPool>
#include <set>

#include "dashboard/window/picture.h"
#include "test_main.h"

namespace duet::dashboard {

/// The whole window on the demo: rows 1, 4, 6, 8, 9, 10, 11, 12 and 13.
class MainWindowTest : public QObject {
  Q_OBJECT

  struct Stage {
    QTemporaryDir folder;
    Settings settings{folder.filePath("s.ini")};
    RunSession session;
    MainWindow window;
    double now = 0.0;
    explicit Stage(StoreOptions options = {})
        : session(Theme::light(), options), window(session, settings, QApplication::palette()) {
      window.resize(1280, 720);
      window.show();
      window.reset_layout();
      QVERIFY(QTest::qWaitForWindowExposed(&window));
    }
    void demo(int workers = 16, std::vector<observer::DemoTrouble> troubles = {},
              const std::string& graph = "ring") {
      observer::DemoOptions demo;
      demo.workers = workers;
      demo.graph = graph;
      demo.standard_troubles = false;
      demo.troubles = std::move(troubles);
      now = 0.0;
      session.open(observer::make_demo_source(demo), false);
    }
    void run_for(double seconds) {
      for (const double end = now + seconds; now < end; now += 0.1)
        session.feed().poll_at(now);
      QApplication::processEvents();
    }
    QAction* action(const char* id) { return window.actions()[id]; }
  };

 private Q_SLOTS:
  void initTestCase() { QApplication::setStyle(QStyleFactory::create("Fusion")); }

  void demo_fills_every_view() {
    Stage stage;
    stage.demo();
    stage.run_for(40);
    const observer::Snapshot& snapshot = stage.session.snapshot();
    QCOMPARE(snapshot.workers.size(), std::size_t(16));
    QCOMPARE(stage.session.workers.rowCount(), 16);
    QVERIFY(stage.session.store.consensus_mean().size() > 10);
    QVERIFY(stage.session.store.loss().mean.size() > 10);
    QVERIFY(stage.session.store.pairings().mean.size() > 10);
    QCOMPARE(stage.window.graph().graph().scene().nodes.size(), std::size_t(16));
    QVERIFY(stage.window.graph().graph().scene().largest_rate > 0);
    QCOMPARE(stage.window.legend().list().count(), 16);
    QVERIFY(stage.session.events.rowCount() > 0);
    stage.window.docks().findChild<QDockWidget*>("matrix")->raise();
    stage.run_for(2);
    QCOMPARE(stage.window.matrix().content().size, 16);
    QVERIFY(stage.window.points_text().contains("points held, 0 dropped"));
    QVERIFY(stage.window.status_text().contains("demo"));
    for (const auto name : {PlotsPanel::kConsensus, PlotsPanel::kLoss, PlotsPanel::kPairings}) {
      const std::vector<Curve>& curves = stage.window.plots().plot(name).content().curves;
      QVERIFY(curves.size() >= 17);
      for (const Curve& curve : curves)
        QVERIFY2(!curve.series->empty(), qPrintable(curve.name));
    }
    // Fully painted, more than a few colours.
    const QImage picture = stage.window.picture();
    QCOMPARE(picture.size(), QSize(1280, 720));
    std::set<QRgb> colours;
    for (int y = 0; y < picture.height(); y += 3) {
      for (int x = 0; x < picture.width(); x += 3)
        colours.insert(picture.pixel(x, y));
    }
    QVERIFY(colours.size() > 50);
  }

  void pausing_keeps_receiving() {
    Stage stage;
    stage.demo();
    stage.run_for(20);
    QTest::keyClick(&stage.window, Qt::Key_Space, Qt::ControlModifier);
    QVERIFY(!stage.session.view.live());
    QVERIFY(stage.window.plots().live_button().isVisible());
    const TimeRange shown = stage.session.view.range();
    const std::size_t before = stage.session.store.rank(0).pairings.size();
    stage.run_for(10);
    QVERIFY(stage.session.view.range() == shown);
    QVERIFY(stage.session.store.rank(0).pairings.size() > before);
    QTest::mouseClick(&stage.window.plots().live_button(), Qt::LeftButton);
    QVERIFY(stage.session.view.live());
    QVERIFY(!stage.window.plots().live_button().isVisible());
    QCOMPARE(stage.session.view.range().to, stage.session.store.extent().to);
  }

  void window_length_by_keys_and_box() {
    Stage stage;
    stage.demo();
    stage.run_for(5);
    const double before = stage.session.view.window();
    stage.action("longer")->trigger();
    QVERIFY(stage.session.view.window() > before);
    for (int k = 0; k < 20; ++k)
      stage.action("longer")->trigger();
    QCOMPARE(stage.session.view.window(), 3600.0);
    for (int k = 0; k < 20; ++k)
      stage.action("shorter")->trigger();
    QCOMPARE(stage.session.view.window(), 10.0);
    QCOMPARE(stage.settings.window_seconds(), 10.0);
  }

  void a_stalled_worker_is_named_and_a_click_leads_there() {
    Stage stage;
    stage.demo(8, {{.at = 20, .duration = 60, .what = observer::Trouble::kStalls, .rank = 3}});
    stage.run_for(45);
    int stalled = -1;
    for (const observer::Finding& finding : stage.window.diagnosis().findings()) {
      if (finding.kind == observer::FindingKind::kStalledWorker) stalled = finding.rank;
    }
    QCOMPARE(stalled, 3);
    QVERIFY(stage.window.diagnosis().shown_texts()[0].contains("3"));
    Q_EMIT stage.window.diagnosis().finding_picked(3, -1);
    QCOMPARE(stage.session.selection.focused().value_or(-1), 3);
    QCOMPARE(stage.window.workers().table().currentIndex().row(), 3);
    QCOMPARE(stage.window.graph().graph().scene().focused.value_or(-1), 3);
    QCOMPARE(stage.session.workers.index(3, WorkerModel::kState).data().toString(), QString("stalled"));
  }

  void a_worker_that_died_returns_as_another() {
    Stage stage;
    stage.demo(8, {{.at = 15, .duration = 20, .what = observer::Trouble::kDies, .rank = 2}});
    stage.run_for(28);
    QCOMPARE(stage.session.workers.index(2, WorkerModel::kState).data().toString(), QString("gone"));
    const QPointF place = stage.window.graph().graph().scene().nodes[2].place;
    stage.run_for(22);
    QVERIFY(stage.session.workers.index(2, WorkerModel::kState).data().toString() != "gone");
    QVERIFY(stage.session.snapshot().workers[2].lives >= 2);
    QVERIFY(stage.window.graph().graph().scene().nodes[2].place == place);
  }

  void themes_and_layout_are_remembered() {
    Stage stage;
    stage.action("theme_dark")->trigger();
    QVERIFY(stage.window.theme().is_dark);
    QVERIFY(stage.settings.theme() == ThemeChoice::kDark);
    stage.action("theme_light")->trigger();
    QVERIFY(!stage.window.theme().is_dark);

    auto* legend = stage.window.docks().findChild<QDockWidget*>("legend");
    QVERIFY(legend->isVisible());
    legend->hide();
    stage.window.close();
    RunSession session(Theme::light());
    MainWindow again(session, stage.settings, QApplication::palette());
    again.resize(1280, 720);
    again.show();
    again.restore_layout();
    QVERIFY(!again.docks().findChild<QDockWidget*>("legend")->isVisible());
    again.actions()["reset_layout"]->trigger();
    QVERIFY(again.docks().findChild<QDockWidget*>("legend")->isVisible());
    QVERIFY(stage.settings.docks().isEmpty());
  }

  void help_and_shortcuts_come_from_the_table() {
    Stage stage;
    for (const Qt::Key key : {Qt::Key_F1, Qt::Key_Question}) {
      stage.window.activateWindow();
      QVERIFY(QTest::qWaitForWindowActive(&stage.window));
      QTest::keyClick(&stage.window, key);
      QCOMPARE(stage.window.findChildren<QDialog*>("text").size(), 1);
      // Once more is the same one.
      stage.action(key == Qt::Key_F1 ? "help" : "shortcuts")->trigger();
      QCOMPARE(stage.window.findChildren<QDialog*>("text").size(), 1);
      auto* dialog = stage.window.findChild<QDialog*>("text");
      QVERIFY(dialog != nullptr);
      const QString text = dialog->findChild<QTextBrowser*>()->toPlainText();
      for (const ActionRow& row : Actions::table()) {
        if (row.shortcut[0] != '\0') QVERIFY2(text.contains(row.shortcut), row.shortcut);
      }
      for (const GestureRow& row : Actions::gestures())
        QVERIFY(text.contains(row.gesture));
      delete dialog;
    }
  }

  void no_two_actions_share_a_key() {
    std::set<std::string> keys;
    for (const ActionRow& row : Actions::table()) {
      if (row.shortcut[0] != '\0') QVERIFY2(keys.insert(row.shortcut).second, row.shortcut);
      if (row.id[0] != '\0') QVERIFY(row.help[0] != '\0');
    }
  }

  void exports() {
    Stage stage;
    stage.demo();
    stage.run_for(20);
    QString reason;
    const QString png = stage.folder.filePath("plots.png");
    QVERIFY2(stage.window.save_plots(png, &reason), qPrintable(reason));
    QVERIFY(QImage(png).width() >= 600);
    const QString svg = stage.folder.filePath("graph.svg");
    QVERIFY2(stage.window.save_graph(svg, &reason), qPrintable(reason));
    QFile file(svg);
    QVERIFY(file.open(QIODevice::ReadOnly));
    QVERIFY(file.readAll().contains("<svg"));
    QVERIFY(!stage.window.save_plots(stage.folder.filePath("plots.jpg"), &reason));
    QVERIFY(reason.contains(".png or .svg"));
    QVERIFY(!stage.window.save_plots("/nowhere/at/all.png", &reason));
    QVERIFY(reason.contains("/nowhere/at/all.png"));
    const QString csv = stage.folder.filePath("data.csv");
    stage.window.save_table(csv);
    QTRY_VERIFY(stage.window.statusBar()->currentMessage().contains(csv));
    stage.window.save_table("/nowhere/at/all.csv");
    QTRY_VERIFY(stage.window.status_text().contains("/nowhere/at/all.csv"));
    QFile table(csv);
    QVERIFY(table.open(QIODevice::ReadOnly));
    QVERIFY(table.readAll().split('\n').size() > 500);
    stage.action("copy")->trigger();
    QVERIFY(!QApplication::clipboard()->pixmap().isNull());
  }

  void records_and_replays() {
    Stage stage;
    stage.demo(6);
    stage.run_for(5);
    const QString path = stage.folder.filePath("run.duetrec");
    QVERIFY(stage.window.start_recording(path, false));
    QVERIFY(stage.action("record")->isChecked());
    stage.run_for(30);
    QTRY_VERIFY(stage.session.feed().recording()->frames > 100);
    stage.session.feed().stop_recording();
    QVERIFY2(!stage.window.start_recording(path, false), "it would have been overwritten");
    QTRY_VERIFY(QFile(path).size() > 10000);

    QVERIFY(stage.window.open_recording(path));
    stage.session.feed().stop();
    QVERIFY(stage.window.replay().isVisible());
    for (double now = 0; now < 40; now += 0.1)
      stage.session.feed().poll_at(now);
    QCOMPARE(stage.session.workers.rowCount(), 6);
    QVERIFY(stage.session.store.consensus_mean().size() > 10);
    QVERIFY(stage.session.feed().status().state == observer::SourceState::kEnded);
    // Space plays; at its end, from the beginning.
    observer::Playback* playback = stage.session.feed().playback();
    stage.window.plots().plot(PlotsPanel::kLoss).setFocus();
    QTest::keyClick(&stage.window.plots().plot(PlotsPanel::kLoss), Qt::Key_Space);
    QVERIFY(playback->playing());
    QTest::keyClick(&stage.window.plots().plot(PlotsPanel::kLoss), Qt::Key_Space);
    QVERIFY(!playback->playing());
    for (int k = 0; k < 20; ++k)
      stage.action("faster")->trigger();
    QCOMPARE(playback->speed(), 100.0);
    for (int k = 0; k < 20; ++k)
      stage.action("slower")->trigger();
    QVERIFY(std::abs(playback->speed() - 0.1) < 1e-9);
    stage.window.replay().slider().setValue(5000);
    Q_EMIT stage.window.replay().slider().sliderReleased();
    QVERIFY(std::abs(playback->position() - (playback->begin() + playback->end()) / 2) < 1.0);

    // Cut in the middle of a frame: it opens up to there, and says so.
    QFile file(path);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray bytes = file.readAll();
    const QString cut = stage.folder.filePath("cut.duetrec");
    QFile shorter(cut);
    QVERIFY(shorter.open(QIODevice::WriteOnly));
    shorter.write(bytes.left(bytes.size() * 2 / 3 + 1));
    shorter.close();
    QVERIFY(stage.window.open_recording(cut));
    stage.session.feed().stop();
    for (double now = 0; now < 40; now += 0.1)
      stage.session.feed().poll_at(now);
    QCOMPARE(stage.session.workers.rowCount(), 6);
    QVERIFY(!stage.window.replay().note().isEmpty());
    // What is played is not recorded over.
    QVERIFY(!stage.action("record")->isEnabled());
    QVERIFY(!stage.window.start_recording(cut, true));
    QVERIFY(QFile(cut).size() > 10000);
    // No recording at all: refused, and what was open goes on.
    QVERIFY(!stage.window.open_recording(stage.folder.filePath("s.ini")));
    QVERIFY(!stage.window.open_recording("/nowhere.duetrec"));
    QVERIFY(stage.session.is_open());
  }

  void a_recording_is_read_in_the_background() {
    Stage stage;
    stage.demo(6);
    const QString path = stage.folder.filePath("run.duetrec");
    QVERIFY(stage.window.start_recording(path, false));
    stage.run_for(10);
    stage.session.feed().stop_recording();
    const auto kind = [&] { return stage.session.feed().status().kind; };
    stage.window.load_recording("/nowhere.duetrec");
    stage.window.load_recording(path);
    QTRY_VERIFY(kind() == observer::SourceKind::kReplay);
    // Who has asked for something else meanwhile gets that.
    stage.window.load_recording(path);
    stage.window.open_demo();
    QThreadPool::globalInstance()->waitForDone();
    QTest::qWait(20);
    QVERIFY(kind() == observer::SourceKind::kDemo);
  }

  void closed_docks_come_back() {
    Stage stage;
    stage.demo(8);
    stage.run_for(5);
    for (const char* name : {"legend", "graph", "matrix", "workers", "events"}) {
      auto* dock = stage.window.docks().findChild<QDockWidget*>(name);
      QVERIFY(stage.window.actions().menu("&View")->actions().contains(dock->toggleViewAction()));
      dock->close();
      QVERIFY(dock->isHidden());
      dock->toggleViewAction()->trigger();
      QVERIFY(!dock->isHidden());
      dock->close();
    }
    // A finding about an edge leads to the graph, and marks it there.
    Q_EMIT stage.window.diagnosis().finding_picked(4, 3);
    QVERIFY(!stage.window.docks().findChild<QDockWidget*>("graph")->isHidden());
    QCOMPARE(stage.session.selection.focused().value_or(-1), 4);
    QVERIFY((stage.window.graph().graph().scene().picked_edge == std::pair(3, 4)));
    Q_EMIT stage.window.diagnosis().finding_picked(2, -1);
    QVERIFY(!stage.window.graph().graph().scene().picked_edge);
    QVERIFY(!stage.window.docks().findChild<QDockWidget*>("workers")->isHidden());
  }

  /// What there is to say may be long; the window stays as narrow as somebody wants it.
  void long_texts_do_not_widen_the_window() {
    Stage stage;
    const int before = stage.window.minimumSizeHint().width();
    stage.window.open_recording("/nowhere/" + QString(400, 'x') + ".duetrec");
    QVERIFY(stage.window.status_text().size() > 400);
    QApplication::processEvents();
    QCOMPARE(stage.window.minimumSizeHint().width(), before);
    QCOMPARE(stage.window.size(), QSize(1280, 720));
  }

  void nothing_is_open_at_first() {
    Stage stage;
    QVERIFY(!stage.action("record")->isEnabled());
    QVERIFY(!stage.action("play")->isEnabled());
    QVERIFY(stage.window.status_text().contains("Ctrl+K"));
    QVERIFY(!stage.window.replay().isVisible());
    stage.action("fit")->trigger();
    stage.action("what_if_remove")->trigger();
    stage.window.picture();
  }

  void one_run_after_another() {
    Stage stage;
    stage.demo(24);
    stage.run_for(10);
    stage.session.selection.focus(20);
    stage.session.view.pause();
    stage.demo(4, {}, "complete");
    stage.run_for(10);
    QCOMPARE(stage.session.workers.rowCount(), 4);
    QCOMPARE(stage.window.legend().list().count(), 4);
    QCOMPARE(stage.window.graph().graph().scene().nodes.size(), std::size_t(4));
    QVERIFY(!stage.session.selection.focused());
    QVERIFY(stage.session.view.live());
  }

  void memory_is_bounded_with_256_workers() {
    Stage stage({.buffer_seconds = 3600, .most_points = 300'000});
    stage.demo(256);
    stage.run_for(60);
    QCOMPARE(stage.session.workers.rowCount(), 256);
    QVERIFY2(stage.session.store.points() <= 310'000,
             qPrintable(QString::number(stage.session.store.points())));
    QVERIFY(stage.session.events.rowCount() <= EventModel::kMost);
    QCOMPARE(stage.session.selection.shown_count(), 0);
  }

  void keys_reach_every_view() {
    Stage stage;
    stage.demo();
    stage.run_for(5);
    const std::pair<const char*, QWidget*> places[] = {
        {"go_plots", &stage.window.plots().plot(PlotsPanel::kConsensus)},
        {"go_legend", &stage.window.legend().list()},
        {"go_matrix", &stage.window.matrix()},
        {"go_graph", &stage.window.graph().graph()},
        {"go_events", &stage.window.events().table()},
        {"go_workers", &stage.window.workers().table()}};
    for (const auto& [id, widget] : places) {
      stage.action(id)->trigger();
      QVERIFY2(stage.window.focusWidget() == widget && widget->isVisible(), id);
    }
    // Tab reaches the plots, the graph, the tables and the legend.
    std::set<const QWidget*> reached;
    QWidget* at = &stage.window.plots().plot(PlotsPanel::kConsensus);
    at->setFocus();
    for (int k = 0; k < 120 && QApplication::focusWidget() != nullptr; ++k) {
      reached.insert(QApplication::focusWidget());
      QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
    }
    QVERIFY(reached.contains(&stage.window.plots().plot(PlotsPanel::kPairings)));
    QVERIFY(reached.contains(&stage.window.graph().graph()));
    QVERIFY(reached.contains(&stage.window.workers().table()));
    QVERIFY(reached.contains(&stage.window.legend().list()));
  }
};

DUET_QT_TEST(MainWindow)

}  // namespace duet::dashboard

#include "main_window_test.moc"
