#include "dashboard/data/time_view.h"

#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "dashboard/data/selection.h"
#include "test_main.h"

namespace duet::dashboard {

class TimeViewTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void follows_the_newest_data() {
    TimeView view;
    view.set_extent({0, 500});
    QCOMPARE(view.range().to, 500.0);
    QCOMPARE(view.range().length(), TimeView::kDefaultWindow);
    view.set_extent({0, 501});
    QCOMPARE(view.range().to, 501.0);
    // A young run starts at the left.
    view.set_extent({100, 103});
    QCOMPARE(view.range().from, 100.0);
    QCOMPARE(view.range().length(), TimeView::kShortestWindow);
  }

  void window_is_ten_seconds_to_an_hour() {
    TimeView view;
    view.set_window(1);
    QCOMPARE(view.window(), 10.0);
    view.set_window(1e9);
    QCOMPARE(view.window(), 3600.0);
    view.set_window(std::nan(""));
    QCOMPARE(view.window(), 3600.0);
  }

  void zooming_stops_following_and_data_goes_on() {
    TimeView view;
    view.set_extent({0, 500});
    QSignalSpy live(&view, &TimeView::live_changed);
    view.zoom_at(450, 0.5);
    QVERIFY(!view.live());
    QCOMPARE(live.count(), 1);
    const TimeRange before = view.range();
    // The anchor stays where it was: 70 of 120 s in.
    QVERIFY(std::abs((450 - before.from) / before.length() - 70.0 / 120.0) < 1e-9);
    view.set_extent({0, 600});
    QVERIFY(view.range() == before);
    view.go_live();
    QCOMPARE(view.range().to, 600.0);
    QCOMPARE(live.count(), 2);
  }

  void zooms_are_taken_back_in_order() {
    TimeView view;
    view.set_extent({0, 500});
    view.zoom_to({100, 200});
    view.zoom_to({160, 150});  // from right to left
    QVERIFY((view.range() == TimeRange{150, 160}));
    view.zoom_back();
    QVERIFY((view.range() == TimeRange{100, 200}));
    view.zoom_back();
    QVERIFY(view.live());
    view.zoom_back();
    QVERIFY(view.live());
  }

  void turns_of_the_wheel_are_one_zoom() {
    TimeView view;
    view.set_extent({0, 500});
    view.zoom_to({100, 200});
    for (int k = 0; k < 200; ++k)
      view.zoom_at(150, 0.99);
    QCOMPARE(view.depth(), std::size_t(2));
    view.pan_by(1);
    view.zoom_at(150, 0.9);
    QCOMPARE(view.depth(), std::size_t(3));
    view.zoom_back();
    view.zoom_back();
    QVERIFY((view.range() == TimeRange{100, 200}));
    // More than anybody takes back: the oldest are forgotten, the count goes on.
    for (int k = 0; k < 100; ++k)
      view.zoom_to({100.0 + 0.1 * k, 200});
    QCOMPARE(view.depth(), std::size_t(101));
    for (int k = 0; k < 100 && !view.live(); ++k)
      view.zoom_back();
    QVERIFY(view.live());
    QCOMPARE(view.depth(), std::size_t(0));
  }

  void zoom_has_limits() {
    TimeView view;
    view.set_extent({0, 500});
    view.zoom_to({100, 100});
    QVERIFY(view.range().length() >= TimeView::kShortestRange);
    for (int k = 0; k < 200; ++k)
      view.zoom_at(100, 2);
    QVERIFY(view.range().length() <= TimeView::kLongestWindow);
    for (int k = 0; k < 200; ++k)
      view.zoom_at(100, 0.5);
    QVERIFY(view.range().length() >= TimeView::kShortestRange * 0.999);
    view.zoom_to({std::nan(""), 3});
    QVERIFY(std::isfinite(view.range().from));
  }

  void pan_stays_near_the_data() {
    TimeView view;
    view.set_extent({0, 500});
    view.pan_by(-30);
    QVERIFY(!view.live());
    QCOMPARE(view.range().from, 350.0);
    for (int k = 0; k < 100; ++k)
      view.pan_by(-1000);
    QVERIFY(view.range().to > 0);
    for (int k = 0; k < 100; ++k)
      view.pan_by(1000);
    QVERIFY(view.range().from < 500);
  }

  void pause_and_live() {
    TimeView view;
    view.set_extent({0, 500});
    view.toggle_live();
    QVERIFY(!view.live());
    QCOMPARE(view.range().to, 500.0);
    view.toggle_live();
    QVERIFY(view.live());
    view.fit();
    QVERIFY((view.range() == TimeRange{0, 500}));
  }

  void few_workers_have_lines_many_do_not() {
    Selection selection;
    selection.set_workers(32);
    QVERIFY(selection.shown(31));
    QCOMPARE(selection.shown_count(), 32);
    selection.set_workers(33);
    QVERIFY(!selection.shown(0));
    selection.toggle(5);
    QCOMPARE(selection.shown_count(), 1);
    QVERIFY(selection.shown(5));
    selection.reset();
    QCOMPARE(selection.shown_count(), 0);
    selection.show_all();
    QCOMPARE(selection.shown_count(), 33);
    // What was chosen stays, also when the run shrinks.
    selection.show_none();
    selection.set_workers(4);
    QCOMPARE(selection.shown_count(), 0);
  }

  void solo_twice_is_back() {
    Selection selection;
    selection.set_workers(8);
    selection.solo(3);
    QCOMPARE(selection.shown_count(), 1);
    QVERIFY(selection.shown(3));
    selection.solo(4);
    QVERIFY(selection.shown(4) && !selection.shown(3));
    selection.solo(4);
    QCOMPARE(selection.shown_count(), 8);
  }
};

DUET_QT_TEST(TimeView)

}  // namespace duet::dashboard

#include "time_view_test.moc"
