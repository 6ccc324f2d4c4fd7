#include "dashboard/plot/axis_scale.h"

#include <QTest>
#include <cmath>

#include "test_main.h"

namespace duet::dashboard {

class AxisScaleTest : public QObject {
  Q_OBJECT

  static QStringList labels(const std::vector<Tick>& ticks) {
    QStringList texts;
    for (const Tick& tick : ticks) {
      if (!tick.label.isEmpty()) texts << tick.label;
    }
    return texts;
  }

 private Q_SLOTS:
  void linear_ticks_are_round() {
    QCOMPARE(labels(AxisScale(ScaleKind::kLinear, {0, 1}, 0, 100).ticks(5)),
             QStringList({"0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
    QCOMPARE(labels(AxisScale(ScaleKind::kLinear, {-3, 3}, 0, 100).ticks(4)), QStringList({"−2", "0", "2"}));
    QCOMPARE(labels(AxisScale(ScaleKind::kLinear, {0, 25000}, 0, 100).ticks(3)),
             QStringList({"0", "10 k", "20 k"}));
    QCOMPARE(labels(AxisScale(ScaleKind::kLinear, {1.0000, 1.0004}, 0, 100).ticks(3)),
             QStringList({"1.0000", "1.0002", "1.0004"}));
  }

  /// A range that is narrow for where it is: labels of the whole number would be wider than any margin, or
  /// alike.
  void narrow_ranges_are_counted_from_a_base() {
    const AxisScale far(ScaleKind::kLinear, {100.0001, 100.0004}, 100, 0);
    QCOMPARE(far.base(6), 100.0);
    QCOMPARE(labels(far.ticks(6)),
             QStringList({"0.0001", "0.00015", "0.0002", "0.00025", "0.0003", "0.00035", "0.0004"}));
    const AxisScale small(ScaleKind::kLinear, {1.0000e-7, 1.0004e-7}, 100, 0);
    QVERIFY(std::abs(small.base(4) - 1e-7) < 1e-15);
    const AxisScale logarithmic(ScaleKind::kLog, {2.3456711, 2.3456719}, 100, 0);
    QVERIFY(std::abs(logarithmic.base(4) - 2.345671) < 1e-9);
    for (const AxisScale& scale :
         {far, small, logarithmic, AxisScale(ScaleKind::kLinear, {-54321.5, -54321.1}, 100, 0)}) {
      QStringList texts = labels(scale.ticks(6));
      QVERIFY2(texts.size() >= 3 && texts.removeDuplicates() == 0, qPrintable(texts.join(' ')));
      for (const QString& text : texts)
        QVERIFY2(text.size() <= 8, qPrintable(text));
      const double hair = (scale.range().high - scale.range().low) * 1e-6;
      for (const Tick& tick : scale.ticks(6)) {
        QVERIFY(tick.value >= scale.range().low - hair && tick.value <= scale.range().high + hair);
      }
    }
    // Where whole labels have room they stand.
    QCOMPARE(AxisScale(ScaleKind::kLinear, {0, 1}, 0, 100).base(5), 0.0);
    QCOMPARE(AxisScale(ScaleKind::kLinear, {1.0000, 1.0004}, 0, 100).base(3), 0.0);
    QCOMPARE(far.base(3), 0.0);  // "100.0001" is as long as they may be
    QCOMPARE(AxisScale(ScaleKind::kLog, {1e-6, 1e2}, 0, 100).base(5), 0.0);
    QCOMPARE(AxisScale(ScaleKind::kTime, {1.7e9, 1.7e9 + 1}, 0, 100).base(5), 0.0);
    QCOMPARE(labels(AxisScale(ScaleKind::kLinear, {0, 4e15}, 0, 100).ticks(2)),
             QStringList({"0", "2e15", "4e15"}));
  }

  void log_ticks_are_decades() {
    QCOMPARE(labels(AxisScale(ScaleKind::kLog, {1e-6, 1e2}, 100, 0).ticks(8)),
             QStringList({"10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "0.01", "0.1", "1", "10", "100"}));
    QCOMPARE(labels(AxisScale(ScaleKind::kLog, {0.9, 110}, 100, 0).ticks(8)),
             QStringList({"1", "2", "5", "10", "20", "50", "100"}));
    // Within one decade: equal steps, or there would be one label or none.
    QVERIFY(labels(AxisScale(ScaleKind::kLog, {0.21, 0.43}, 100, 0).ticks(5)).size() >= 3);
    // Twenty decades, room for five labels.
    QVERIFY(labels(AxisScale(ScaleKind::kLog, {1e-12, 1e8}, 100, 0).ticks(5)).size() <= 6);
  }

  void time_ticks_count_as_people_do() {
    QCOMPARE(labels(AxisScale(ScaleKind::kTime, {1000, 1060}, 0, 100).ticks(6, 1000)),
             QStringList({"0:00", "0:10", "0:20", "0:30", "0:40", "0:50", "1:00"}));
    QCOMPARE(labels(AxisScale(ScaleKind::kTime, {0, 7200}, 0, 100).ticks(4)),
             QStringList({"0:00", "30:00", "1:00:00", "1:30:00", "2:00:00"}));
    QCOMPARE(labels(AxisScale(ScaleKind::kTime, {59.8, 60.2}, 0, 100).ticks(4)),
             QStringList({"0:59.8", "0:59.9", "1:00.0", "1:00.1", "1:00.2"}));
  }

  void pixels_and_values_are_inverse() {
    for (const ScaleKind kind : {ScaleKind::kLinear, ScaleKind::kLog, ScaleKind::kTime}) {
      const AxisScale scale(kind, {0.5, 80}, 300, 20);
      for (const double value : {0.5, 1.0, 7.0, 80.0}) {
        QVERIFY(std::abs(scale.to_value(scale.to_pixel(value)) - value) < 1e-9 * value);
      }
      QCOMPARE(scale.to_pixel(0.5), 300.0);
      QVERIFY(std::abs(scale.to_pixel(80) - 20.0) < 1e-9);
    }
  }

  void impossible_ranges_are_mended_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<double>("low");
    QTest::addColumn<double>("high");
    const double nan = std::nan("");
    QTest::newRow("empty") << 0 << 5.0 << 5.0;
    QTest::newRow("zero") << 0 << 0.0 << 0.0;
    QTest::newRow("inverted") << 0 << 2.0 << 1.0;
    QTest::newRow("nan") << 0 << nan << 1.0;
    QTest::newRow("infinite") << 0 << 0.0 << HUGE_VAL;
    QTest::newRow("log of nothing") << 1 << -1.0 << 0.0;
    QTest::newRow("log from zero") << 1 << 0.0 << 1.0;
    QTest::newRow("log of a point") << 1 << 1.0 << 1.0;
    QTest::newRow("huge, close") << 0 << 1e18 << 1e18 + 1;
  }
  void impossible_ranges_are_mended() {
    QFETCH(int, kind);
    QFETCH(double, low);
    QFETCH(double, high);
    const AxisScale scale(static_cast<ScaleKind>(kind), {low, high}, 100, 0);
    QVERIFY(std::isfinite(scale.range().low) && scale.range().low < scale.range().high);
    QVERIFY(scale.to_pixel(scale.range().low) > scale.to_pixel(scale.range().high));
    QVERIFY(!scale.ticks(5).empty());
    QVERIFY(scale.ticks(5).size() < 60);
  }

  void what_is_not_positive_lies_below_a_log_scale() {
    const AxisScale scale(ScaleKind::kLog, {1e-3, 1}, 100, 0);
    QVERIFY(scale.to_pixel(0) > 200);
    QVERIFY(scale.to_pixel(-5) > 200);
    QVERIFY(std::isfinite(scale.to_pixel(0)));
  }

  void margins() {
    const ValueRange near_zero = AxisScale::around(ScaleKind::kLinear, 1, 10);
    QCOMPARE(near_zero.low, 0.0);
    QVERIFY(near_zero.high > 10);
    const ValueRange far = AxisScale::around(ScaleKind::kLinear, 100, 101);
    QVERIFY(far.low > 99 && far.low < 100 && far.high > 101);
    const ValueRange logarithmic = AxisScale::around(ScaleKind::kLog, 0.1, 10);
    QVERIFY(logarithmic.low < 0.1 && logarithmic.low > 0.01 && logarithmic.high > 10);
  }
};

DUET_QT_TEST(AxisScale)

}  // namespace duet::dashboard

#include "axis_scale_test.moc"
