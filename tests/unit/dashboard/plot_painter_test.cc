#include "dashboard/plot/plot_painter.h"

#include <QBuffer>
#include <QImage>
#include <QSvgGenerator>
#include <QTest>
#include <cmath>

#include "test_main.h"

namespace duet::dashboard {

class PlotPainterTest : public QObject {
  Q_OBJECT

  static QImage drawn(const PlotContent& content, const PlotFrame& frame, QSize size = {600, 200}) {
    QImage image(size, QImage::Format_RGB32);
    image.fill(Qt::magenta);
    QPainter painter(&image);
    const Theme theme = Theme::light();
    PlotPainter(theme, QFont()).paint(painter, image.rect(), content, frame);
    return image;
  }

  static QByteArray svg(const PlotContent& content, const PlotFrame& frame) {
    QBuffer buffer;
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize({600, 200});
    generator.setViewBox(QRect(0, 0, 600, 200));
    QPainter painter;
    if (!painter.begin(&generator)) return {};
    const Theme theme = Theme::dark();
    PlotPainter(theme, QFont()).paint(painter, {0, 0, 600, 200}, content, frame);
    painter.end();
    return buffer.data();
  }

  static int count(const QImage& image, QColor color, QRect within) {
    int found = 0;
    for (int y = within.top(); y <= within.bottom(); ++y) {
      for (int x = within.left(); x <= within.right(); ++x)
        found += image.pixelColor(x, y) == color ? 1 : 0;
    }
    return found;
  }

 private Q_SLOTS:
  void a_spike_reaches_its_height_at_every_zoom() {
    Series series(200000);
    for (int k = 0; k < 100000; ++k)
      series.append(k * 0.1, k == 71234 ? 100.0 : 1.0);
    PlotContent content;
    content.curves.push_back({&series, QColor("#d55e00"), "worker 1"});
    const Theme theme = Theme::light();
    for (double length = 10000; length > 1; length /= 4) {
      const TimeRange time{std::max(0.0, 7123.4 - length / 2), std::max(0.0, 7123.4 - length / 2) + length};
      const PlotFrame frame{time, {0, 110}};
      const QImage image = drawn(content, frame);
      const PlotPainter painter(theme, QFont());
      const int top = qRound(painter.value_scale(image.rect(), content, frame).to_pixel(100));
      const int x = qRound(painter.time_scale(image.rect(), content, frame).to_pixel(7123.4));
      int reddish = 0;
      for (int dx = -2; dx <= 2; ++dx) {
        for (int dy = 0; dy <= 3; ++dy) {
          const QColor color = image.pixelColor(x + dx, top + dy);
          reddish += color.red() - color.blue() > 40 ? 1 : 0;
        }
      }
      QVERIFY2(reddish > 0, qPrintable(QString("no spike at length %1").arg(length)));
    }
  }

  void margin_is_the_same_for_every_plot() {
    const Theme theme = Theme::light();
    const PlotPainter painter(theme, QFont());
    const QRect one = painter.area({0, 0, 600, 200});
    const QRect other = painter.area({0, 300, 600, 90});
    QCOMPARE(one.left(), other.left());
    QCOMPARE(one.right(), other.right());
  }

  void labels_stay_inside_data() {
    QTest::addColumn<int>("scale");
    QTest::addColumn<double>("low");
    QTest::addColumn<double>("high");
    QTest::newRow("small") << 0 << 0.0 << 0.00042;
    QTest::newRow("tiny") << 0 << 0.0 << 3.3e-7;
    QTest::newRow("large") << 0 << 0.0 << 9.9e11;
    QTest::newRow("close") << 0 << 100.0001 << 100.0004;
    QTest::newRow("log") << 1 << 1e-9 << 1e3;
    QTest::newRow("log short") << 1 << 2.1e-5 << 4.4e-5;
    QTest::newRow("log medium") << 1 << 2.1e-6 << 4.4e-5;
    QTest::newRow("negative") << 0 << -12345.0 << 12345.0;
  }
  /// The margin was made for the widest label: none may be cut at the left.
  void labels_stay_inside() {
    QFETCH(int, scale);
    QFETCH(double, low);
    QFETCH(double, high);
    const Theme theme = Theme::light();
    const PlotPainter painter(theme, QFont());
    QFont small;
    small.setPointSizeF(QFont().pointSizeF() * 0.9);
    const QFontMetrics metrics(small);
    const AxisScale axis(static_cast<ScaleKind>(scale), {low, high}, 100, 0);
    for (const Tick& tick : axis.ticks(6)) {
      QVERIFY2(metrics.horizontalAdvance(tick.label) <= painter.area({0, 0, 600, 200}).left() - 7,
               qPrintable(tick.label));
    }
  }

  void every_part_is_drawn() {
    Series low(10), high(10), line(10);
    for (int k = 0; k < 10; ++k) {
      low.append(k, 1);
      high.append(k, 3);
      line.append(k, 2);
    }
    PlotContent content;
    content.title = "Loss";
    content.bands.push_back({&low, &high, QColor("#00ff00"), "range"});
    content.curves.push_back({&line, QColor("#ff0000"), "mean", 1.0, Qt::SolidLine, true});
    content.overlays.push_back({{{0, 2.5}, {9, 2.5}}, QColor("#0000ff"), "bound"});
    content.marks.push_back({4.5, QColor("#ff00ff")});
    const QImage image = drawn(content, {{0, 9}, {0, 4}});
    const Theme theme = Theme::light();
    const QRect area = PlotPainter(theme, QFont()).area(image.rect());
    QVERIFY(count(image, QColor("#00ff00"), area) > 1000);
    QVERIFY(count(image, QColor("#ff0000"), area) > 100);
    QVERIFY(count(image, QColor("#0000ff"), area) > 50);
    // The mark sits on the axis: half of it below the area.
    QVERIFY(count(image, QColor("#ff00ff"), area.adjusted(0, area.height() - 6, 0, 8)) > 5);
    // All of the rectangle was painted.
    QCOMPARE(count(image, QColor(Qt::magenta), QRect(0, 0, 600, 10)), 0);
  }

  void a_log_scale_survives_zeros() {
    Series series(10);
    for (int k = 0; k < 10; ++k)
      series.append(k, k % 2 == 0 ? 0.0 : 0.01 * k);
    PlotContent content;
    content.scale = ScaleKind::kLog;
    content.curves.push_back({&series, QColor("#ff0000"), "x"});
    const ValueRange fit = fitting_values(content, {0, 9});
    QVERIFY(fit.low > 0 && fit.low < 0.01 && fit.high > 0.09);
    drawn(content, {{0, 9}, fit});
  }

  void fits_what_is_seen_only() {
    Series series(100);
    for (int k = 0; k < 100; ++k)
      series.append(k, k == 10 ? 1e6 : 50 + k % 3);
    PlotContent content;
    content.curves.push_back({&series, Qt::red, "x"});
    QVERIFY(fitting_values(content, {50, 60}).high < 100);
    QVERIFY(fitting_values(content, {5, 60}).high > 1e6);
    // Between two samples the line is still seen.
    const ValueRange between = fitting_values(content, {50.2, 50.4});
    QVERIFY(between.low <= 52 && between.high >= 50);
  }

  void crosshair_values_are_sorted() {
    Series a(10), b(10), c(10), ended(10);
    a.append(5, 1);
    b.append(5, 3);
    c.append(5, 2);
    ended.append(-1000, 9);
    PlotContent content;
    content.curves = {{&a, Qt::red, "a"}, {&b, Qt::red, "b"}, {&c, Qt::red, "c"}, {&ended, Qt::red, "d"}};
    const auto values = PlotPainter::values_at(content, {{0, 10}, {0, 4}}, 5.2);
    QCOMPARE(values.size(), std::size_t(3));
    QCOMPARE(values[0].name, QString("b"));
    QCOMPARE(values[1].name, QString("c"));
    QCOMPARE(values[2].name, QString("a"));
  }

  void svg_has_lines_and_text() {
    Series series(1000);
    for (int k = 0; k < 1000; ++k)
      series.append(k, std::sin(k * 0.02));
    PlotContent content;
    content.title = "Consensus distance";
    content.curves.push_back({&series, QColor("#123456"), "x"});
    const QByteArray text = svg(content, {{0, 999}, {-1, 1}});
    QVERIFY(text.contains("polyline") || text.contains("<path"));
    QVERIFY(text.contains("Consensus distance"));
    QVERIFY(text.contains("#123456"));
    QVERIFY(!text.contains("counted from"));
  }

  void an_axis_says_what_it_is_counted_from() {
    PlotContent content;
    content.title = "Loss";
    QVERIFY(svg(content, {{0, 9}, {100.00001, 100.00004}}).contains("counted from 100"));
  }

  /// Of a run of many hours, zoomed in to parts of a second.
  void time_labels_are_apart_and_whole_data() {
    QTest::addColumn<double>("from");
    QTest::addColumn<double>("length");
    QTest::newRow("start") << 0.0 << 10.0;
    QTest::newRow("minutes") << 700.0 << 120.0;
    QTest::newRow("hours") << 45000.0 << 3600.0;
    QTest::newRow("moment") << 45296.7 << 0.05;
    QTest::newRow("days") << 400000.3 << 0.4;
  }
  void time_labels_are_apart_and_whole() {
    QFETCH(double, from);
    QFETCH(double, length);
    const QRect rect(0, 0, 430, 120);
    const Theme theme = Theme::light();
    const PlotPainter painter(theme, QFont());
    QImage image(rect.size(), QImage::Format_RGB32);
    QPainter onto(&image);
    PlotContent content;
    painter.paint(onto, rect, content, {{from, from + length}, {0, 1}});
    onto.end();
    // Letters of two labels that ran into each other, or were cut, would leave no gap of a few columns and no
    // border.
    const QRect area = painter.area(rect);
    const auto inked = [&](int x) {
      for (int y = area.bottom() + 6; y < rect.bottom(); ++y) {
        if (image.pixelColor(x, y) != theme.surface) return true;
      }
      return false;
    };
    QVERIFY(!inked(0) && !inked(rect.right()));
    int labels = 0;
    int gap = 100;
    for (int x = 0; x < rect.width(); ++x) {
      if (inked(x)) {
        labels += gap > 8 ? 1 : 0;
        gap = 0;
      } else {
        ++gap;
      }
    }
    QVERIFY2(labels >= 2, qPrintable(QString::number(labels)));
  }

  void tiny_rectangles_are_harmless() {
    Series series(10);
    series.append(0, 1);
    PlotContent content;
    content.curves.push_back({&series, Qt::red, "x"});
    for (const QSize size : {QSize(1, 1), QSize(30, 400), QSize(400, 30), QSize(90, 60)})
      drawn(content, {{0, 1}, {0, 1}}, size);
  }
};

DUET_QT_TEST(PlotPainter)

}  // namespace duet::dashboard

#include "plot_painter_test.moc"
