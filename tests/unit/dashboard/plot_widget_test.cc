#include "dashboard/plot/plot_widget.h"

#include <QMouseEvent>
#include <QTest>
#include <QWheelEvent>
#include <cmath>

#include "test_main.h"

namespace duet::dashboard {

/// Mouse and keys on a plot: rows 3, 4 and 5 of what users are promised.
class PlotWidgetTest : public QObject {
  Q_OBJECT

  struct Stage {
    Series a{10000};
    Series b{10000};
    TimeView view;
    PlotWidget plot{view, Theme::light()};
    Stage() {
      for (int k = 0; k <= 1000; ++k) {
        a.append(k, 1 + 0.001 * k);
        b.append(k + 0.5, 2 - 0.001 * k);
      }
      PlotContent content;
      content.title = "Test";
      content.curves = {{&a, Qt::red, "a"}, {&b, Qt::blue, "b"}};
      plot.set_content(content);
      view.set_extent({0, 1000.5});
      plot.resize(800, 300);
      plot.show();
      plot.setFocus();
      QVERIFY(QTest::qWaitForWindowExposed(&plot));
    }
    QPoint middle() const { return plot.area().center(); }
    void drag(QPoint from, QPoint to, Qt::MouseButton button = Qt::LeftButton,
              Qt::KeyboardModifiers keys = {}) {
      QTest::mousePress(&plot, button, keys, from);
      // QTest::mouseMove has no buttons: the event is made by hand.
      for (int step = 1; step <= 4; ++step) {
        const QPointF at = from + QPointF(to - from) * step / 4;
        QMouseEvent move(QEvent::MouseMove, at, plot.mapToGlobal(at), Qt::NoButton, button, keys);
        QCoreApplication::sendEvent(&plot, &move);
      }
      QTest::mouseRelease(&plot, button, keys, to);
    }
    void wheel(QPoint at, int notches) {
      QWheelEvent event(at, plot.mapToGlobal(at), {}, {0, 120 * notches}, Qt::NoButton, Qt::NoModifier,
                        Qt::NoScrollPhase, false);
      QCoreApplication::sendEvent(&plot, &event);
    }
  };

 private Q_SLOTS:
  void drag_zooms_to_the_box() {
    Stage stage;
    const QRect area = stage.plot.area();
    const ValueRange before = stage.plot.frame().values;
    const TimeRange shown = stage.view.range();
    stage.drag(area.topLeft() + QPoint(area.width() / 4, area.height() / 4), area.center());
    QVERIFY(!stage.view.live());
    const TimeRange time = stage.view.range();
    QVERIFY(std::abs(time.from - (shown.from + shown.length() * 0.25)) < shown.length() * 0.01);
    QVERIFY(std::abs(time.to - (shown.from + shown.length() * 0.5)) < shown.length() * 0.01);
    const ValueRange values = stage.plot.frame().values;
    const double height = before.high - before.low;
    QVERIFY(std::abs(values.high - (before.low + height * 0.75)) < height * 0.02);
    QVERIFY(std::abs(values.low - (before.low + height * 0.5)) < height * 0.02);
    QVERIFY(stage.plot.values_fixed());
    // Backspace takes back both.
    QTest::keyClick(&stage.plot, Qt::Key_Backspace);
    QVERIFY(stage.view.live());
    QVERIFY(!stage.plot.values_fixed());
  }

  void backspace_takes_back_what_another_plot_zoomed() {
    Stage stage;
    PlotWidget other(stage.view, Theme::light());
    other.set_content(stage.plot.content());
    other.resize(800, 300);
    stage.drag(stage.middle() - QPoint(200, 60), stage.middle() + QPoint(200, 60));
    const ValueRange first = stage.plot.frame().values;
    stage.drag(stage.middle() - QPoint(100, 40), stage.middle() + QPoint(100, 40));
    // A turn of the wheel after the boxes: one more, time and values.
    stage.wheel(stage.middle(), 1);
    stage.wheel(stage.middle(), 1);
    QCOMPARE(stage.view.depth(), std::size_t(3));
    QTest::keyClick(&other, Qt::Key_Backspace);
    QTest::keyClick(&other, Qt::Key_Backspace);
    QCOMPARE(stage.view.depth(), std::size_t(1));
    QVERIFY(stage.plot.frame().values == first);
    QTest::keyClick(&other, Qt::Key_Backspace);
    QVERIFY(stage.view.live() && !stage.plot.values_fixed());
  }

  void flat_drag_zooms_time_alone() {
    Stage stage;
    stage.drag(stage.middle() - QPoint(100, 1), stage.middle() + QPoint(100, 2));
    QVERIFY(!stage.view.live());
    QVERIFY(!stage.plot.values_fixed());
  }

  void click_zooms_nothing() {
    Stage stage;
    QTest::mouseClick(&stage.plot, Qt::LeftButton, {}, stage.middle());
    QVERIFY(stage.view.live());
  }

  void escape_ends_a_drag_first() {
    Stage stage;
    QTest::mousePress(&stage.plot, Qt::LeftButton, {}, stage.middle());
    QTest::keyClick(&stage.plot, Qt::Key_Escape);
    QTest::mouseRelease(&stage.plot, Qt::LeftButton, {}, stage.middle() + QPoint(100, 50));
    QVERIFY(stage.view.live());
  }

  void pan_data() {
    QTest::addColumn<Qt::MouseButton>("button");
    QTest::addColumn<Qt::KeyboardModifiers>("keys");
    QTest::newRow("Ctrl-drag") << Qt::LeftButton << Qt::KeyboardModifiers(Qt::ControlModifier);
    QTest::newRow("middle-drag") << Qt::MiddleButton << Qt::KeyboardModifiers();
  }
  void pan() {
    QFETCH(Qt::MouseButton, button);
    QFETCH(Qt::KeyboardModifiers, keys);
    Stage stage;
    const TimeRange before = stage.view.range();
    stage.drag(stage.middle(), stage.middle() + QPoint(stage.plot.area().width() / 4, 0), button, keys);
    const TimeRange after = stage.view.range();
    QVERIFY(!stage.view.live());
    QVERIFY(std::abs(after.length() - before.length()) < 1e-6);
    QVERIFY(std::abs(after.from - (before.from - before.length() / 4)) < before.length() * 0.01);
  }

  void wheel_zooms_time_around_the_pointer() {
    Stage stage;
    const QRect area = stage.plot.area();
    const TimeRange before = stage.view.range();
    const QPoint at(area.left() + area.width() / 4, area.center().y());
    stage.wheel(at, 2);
    const TimeRange after = stage.view.range();
    QVERIFY(!stage.view.live());
    QVERIFY(after.length() < before.length());
    QVERIFY(std::abs((before.from + before.length() / 4) - (after.from + after.length() / 4)) <
            before.length() * 0.01);
    stage.wheel(at, -2);
    QVERIFY(std::abs(stage.view.range().length() - before.length()) < 1e-6);
  }

  void wheel_over_an_axis_zooms_that_axis_alone() {
    Stage stage;
    const QRect area = stage.plot.area();
    const ValueRange before = stage.plot.frame().values;
    stage.wheel({area.left() / 2, area.center().y()}, 1);
    QVERIFY(stage.view.live());
    const ValueRange after = stage.plot.frame().values;
    QVERIFY(after.high - after.low < before.high - before.low);
    // Below the time axis: time, though the values are fixed by now.
    stage.wheel({area.center().x(), area.bottom() + 8}, 1);
    QVERIFY(!stage.view.live());
    QVERIFY(stage.plot.frame().values == after);
  }

  void double_click_fits() {
    Stage stage;
    const QRect area = stage.plot.area();
    stage.wheel({area.left() / 2, area.center().y()}, 3);
    stage.wheel(area.center(), 5);
    // On the value axis: the values alone.
    const TimeRange time = stage.view.range();
    QTest::mouseDClick(&stage.plot, Qt::LeftButton, {}, {area.left() / 2, area.center().y()});
    QVERIFY(!stage.plot.values_fixed());
    QVERIFY(stage.view.range() == time);
    QTest::mouseDClick(&stage.plot, Qt::LeftButton, {}, area.center());
    QVERIFY(stage.view.range() == stage.view.extent());
  }

  void escape_returns_to_live() {
    Stage stage;
    stage.drag(stage.middle() - QPoint(80, 40), stage.middle() + QPoint(80, 40));
    QVERIFY(!stage.view.live() && stage.plot.values_fixed());
    QTest::keyClick(&stage.plot, Qt::Key_Escape);
    QVERIFY(stage.view.live());
    QVERIFY(!stage.plot.values_fixed());
    // Live, but with values zoomed: they are let go of too.
    stage.wheel({stage.plot.area().left() / 2, stage.middle().y()}, 1);
    QVERIFY(stage.plot.values_fixed());
    QTest::keyClick(&stage.plot, Qt::Key_Escape);
    QVERIFY(!stage.plot.values_fixed());
  }

  void crosshair_follows_the_mouse_and_is_shared() {
    Stage stage;
    PlotWidget other(stage.view, Theme::light());
    other.resize(800, 200);
    other.show();
    QTest::mouseMove(&stage.plot, stage.middle());
    QTRY_VERIFY(stage.view.cursor().has_value());
    const TimeRange range = stage.view.range();
    QVERIFY(std::abs(*stage.view.cursor() - (range.from + range.to) / 2) < range.length() * 0.01);
    QEvent leave(QEvent::Leave);
    QCoreApplication::sendEvent(&stage.plot, &leave);
    QVERIFY(!stage.view.cursor());
  }

  void arrows_step_from_sample_to_sample() {
    Stage stage;
    stage.view.zoom_to({100.2, 110.2});
    QTest::keyClick(&stage.plot, Qt::Key_Right);
    QCOMPARE(*stage.view.cursor(), 100.5);
    QTest::keyClick(&stage.plot, Qt::Key_Right);
    QCOMPARE(*stage.view.cursor(), 101.0);
    QTest::keyClick(&stage.plot, Qt::Key_Left);
    QCOMPARE(*stage.view.cursor(), 100.5);
    QTest::keyClick(&stage.plot, Qt::Key_Left);  // nothing there within what is seen
    QCOMPARE(*stage.view.cursor(), 100.5);
    stage.view.set_cursor(std::nullopt);
    QTest::keyClick(&stage.plot, Qt::Key_Left);  // from the right edge
    QCOMPARE(*stage.view.cursor(), 110.0);
  }

  void keys_zoom_and_pan() {
    Stage stage;
    const double length = stage.view.range().length();
    QTest::keyClick(&stage.plot, Qt::Key_Plus);
    QVERIFY(stage.view.range().length() < length);
    QTest::keyClick(&stage.plot, Qt::Key_Minus);
    QVERIFY(std::abs(stage.view.range().length() - length) < 1e-6);
    const double from = stage.view.range().from;
    QTest::keyClick(&stage.plot, Qt::Key_Left, Qt::ShiftModifier);
    QVERIFY(stage.view.range().from < from);
  }

  /// Data may come a thousand times a second: the lines are drawn 25 times at most, and not at all when
  /// nothing changed.
  void repaints_are_bounded() {
    Stage stage;
    QTest::qWait(100);
    const std::uint64_t before = stage.plot.paints();
    QElapsedTimer timer;
    timer.start();
    while (timer.elapsed() < 400) {
      stage.plot.refresh();
      QCoreApplication::processEvents();
      QTest::qSleep(1);
    }
    const double seconds = timer.elapsed() / 1000.0;
    const auto busy = static_cast<double>(stage.plot.paints() - before);
    QVERIFY2(busy >= 1 && busy <= seconds * 25 + 2, qPrintable(QString::number(busy)));
    QTest::qWait(100);
    const std::uint64_t idle = stage.plot.paints();
    QTest::qWait(200);
    QCOMPARE(stage.plot.paints(), idle);
    // The crosshair moves above the lines, without drawing them again.
    stage.view.set_cursor(stage.view.range().from + 1);
    QTest::qWait(100);
    QCOMPARE(stage.plot.paints(), idle);
  }
};

DUET_QT_TEST(PlotWidget)

}  // namespace duet::dashboard

#include "plot_widget_test.moc"
