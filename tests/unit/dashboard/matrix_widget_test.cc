#include "dashboard/graph/matrix_widget.h"

#include <QImage>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "test_main.h"

namespace duet::dashboard {

class MatrixWidgetTest : public QObject {
  Q_OBJECT

  static MatrixContent ring(int size) {
    MatrixContent content;
    content.size = size;
    content.unit = "/s";
    content.values.assign(static_cast<std::size_t>(size) * size, NAN);
    for (int k = 0; k < size; ++k) {
      const int next = (k + 1) % size;
      content.values[static_cast<std::size_t>(k) * size + next] = 2.0F;
      content.values[static_cast<std::size_t>(next) * size + k] = 2.0F;
    }
    content.largest = 2.0F;
    return content;
  }

 private Q_SLOTS:
  void a_cell_is_where_it_is_drawn() {
    MatrixWidget matrix(Theme::light());
    matrix.resize(400, 320);
    matrix.set_content(ring(8));
    matrix.show();
    const QRectF square = matrix.square();
    QVERIFY(square.width() > 200);
    QVERIFY(square.bottom() <= 320);
    QSignalSpy picked(&matrix, &MatrixWidget::worker_picked);
    QTest::mouseClick(
        &matrix, Qt::LeftButton, {},
        QPointF(square.left() + square.width() * 0.9, square.top() + square.height() * 5.5 / 8).toPoint());
    QCOMPARE(picked.takeFirst().at(0).toInt(), 5);
    QTest::mouseClick(&matrix, Qt::LeftButton, {}, {2, 2});
    QCOMPARE(picked.count(), 0);
    QCOMPARE(matrix.cell_text(0, 1), QString("workers 0 and 1: 2/s"));
    QVERIFY(matrix.cell_text(0, 3).contains("not neighbours"));
  }

  void keys_go_from_worker_to_worker() {
    MatrixWidget matrix(Theme::light());
    MatrixContent content = ring(8);
    matrix.set_content(content);
    QSignalSpy picked(&matrix, &MatrixWidget::worker_picked);
    QTest::keyClick(&matrix, Qt::Key_Down);
    QCOMPARE(picked.takeFirst().at(0).toInt(), 0);
    QTest::keyClick(&matrix, Qt::Key_Up);
    QCOMPARE(picked.takeFirst().at(0).toInt(), 7);
    content.focused = 7;
    matrix.set_content(content);
    QTest::keyClick(&matrix, Qt::Key_Down);
    QCOMPARE(picked.takeFirst().at(0).toInt(), 0);
    QTest::keyClick(&matrix, Qt::Key_Escape);
    QCOMPARE(picked.takeFirst().at(0).toInt(), -1);
  }

  void neighbours_stand_out() {
    MatrixContent content = ring(8);
    content.values[1] = content.values[8] = 0.0F;  // neighbours that never met
    QImage image(400, 320, QImage::Format_RGB32);
    QPainter painter(&image);
    const Theme theme = Theme::light();
    const MatrixPainter matrix(theme, QFont());
    matrix.paint(painter, image.rect(), content);
    const QRectF square = matrix.square(image.rect(), content);
    const auto color = [&](int row, int column) {
      return image.pixelColor(
          (square.topLeft() + QPointF(column + 0.5, row + 0.5) * square.width() / 8).toPoint());
    };
    QVERIFY(color(2, 3) != color(2, 5));
    QVERIFY(color(0, 1) != color(2, 3));
    QVERIFY(color(0, 1) != color(0, 4));
    QCOMPARE(color(2, 3), color(3, 2));
  }

  void any_size_is_drawn() {
    QImage image(300, 300, QImage::Format_RGB32);
    QPainter painter(&image);
    const Theme theme = Theme::dark();
    for (const int size : {0, 1, 2, 300, 1024}) {
      MatrixPainter(theme, QFont()).paint(painter, image.rect(), size > 0 ? ring(size) : MatrixContent{});
      MatrixPainter(theme, QFont()).paint(painter, {0, 0, 30, 30}, size > 0 ? ring(size) : MatrixContent{});
    }
  }
};

DUET_QT_TEST(MatrixWidget)

}  // namespace duet::dashboard

#include "matrix_widget_test.moc"
