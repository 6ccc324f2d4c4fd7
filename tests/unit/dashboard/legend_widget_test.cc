#include "dashboard/plot/legend_widget.h"

#include <QTest>

#include "test_main.h"

namespace duet::dashboard {

class LegendWidgetTest : public QObject {
  Q_OBJECT

  struct Stage {
    Selection selection;
    LegendWidget legend{selection, Theme::light()};
    explicit Stage(int workers = 8) {
      selection.set_workers(workers);
      legend.set_count(workers);
      legend.resize(160, 400);
      legend.show();
      QVERIFY(QTest::qWaitForWindowExposed(&legend));
    }
    void click(int rank, Qt::KeyboardModifiers keys = {}) {
      const QRect row = legend.list().visualItemRect(legend.list().item(rank));
      QTest::mouseClick(legend.list().viewport(), Qt::LeftButton, keys, row.center());
    }
  };

 private Q_SLOTS:
  void click_toggles() {
    Stage stage;
    stage.click(2);
    QVERIFY(!stage.selection.shown(2));
    QCOMPARE(stage.selection.shown_count(), 7);
    stage.click(2);
    QVERIFY(stage.selection.shown(2));
  }

  void ctrl_click_is_solo() {
    Stage stage;
    stage.click(3, Qt::ControlModifier);
    QCOMPARE(stage.selection.shown_count(), 1);
    QVERIFY(stage.selection.shown(3));
    stage.click(3, Qt::ControlModifier);
    QCOMPARE(stage.selection.shown_count(), 8);
  }

  void filter_finds_rank_and_host() {
    Stage stage(24);
    stage.legend.set_worker(5, "alpha");
    stage.legend.set_worker(7, "beta");
    QTest::keyClicks(&stage.legend.filter(), "ALPHA");
    QVERIFY(!stage.legend.list().isRowHidden(5));
    QVERIFY(stage.legend.list().isRowHidden(7));
    stage.legend.filter().setText("worker 2");
    QVERIFY(!stage.legend.list().isRowHidden(2));
    QVERIFY(!stage.legend.list().isRowHidden(20));
    QVERIFY(stage.legend.list().isRowHidden(5));
    stage.legend.filter().clear();
    QVERIFY(!stage.legend.list().isRowHidden(7));
  }

  void keys_do_what_the_mouse_does() {
    Stage stage;
    QListWidget& list = stage.legend.list();
    list.setFocus();
    list.setCurrentRow(4);
    QTest::keyClick(&list, Qt::Key_Space);
    QVERIFY(!stage.selection.shown(4));
    QTest::keyClick(&list, Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(stage.selection.shown_count(), 1);
    QTest::keyClick(&list, Qt::Key_Return);
    QCOMPARE(*stage.selection.focused(), 4);
  }

  void many_start_without_lines() {
    Stage stage(64);
    QCOMPARE(stage.selection.shown_count(), 0);
    stage.click(1);
    QCOMPARE(stage.selection.shown_count(), 1);
  }

  void shrinks_with_the_run() {
    Stage stage(12);
    stage.legend.set_count(3);
    QCOMPARE(stage.legend.list().count(), 3);
  }
};

DUET_QT_TEST(LegendWidget)

}  // namespace duet::dashboard

#include "legend_widget_test.moc"
