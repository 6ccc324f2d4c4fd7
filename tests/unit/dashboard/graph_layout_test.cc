#include "dashboard/graph/graph_layout.h"

#include <QTest>
#include <algorithm>
#include <cmath>

#include "test_main.h"

namespace duet::dashboard {

class GraphLayoutTest : public QObject {
  Q_OBJECT

  static double distance(QPointF a, QPointF b) { return std::hypot(a.x() - b.x(), a.y() - b.y()); }

  static GraphShape random_graph(int workers) {
    GraphShape shape{workers, "random-regular:3", {}};
    for (int k = 0; k < workers; ++k) {
      shape.edges.emplace_back(k, (k + 1) % workers);
      if (k % 3 == 0) shape.edges.emplace_back(k, (k * 7 + 3) % workers);
    }
    return shape;
  }

 private Q_SLOTS:
  void everyone_has_a_place_of_their_own_data() {
    QTest::addColumn<QString>("description");
    QTest::addColumn<int>("workers");
    for (const char* name :
         {"ring", "path", "star", "complete", "exponential", "torus", "torus:3x5", "file:x"}) {
      QTest::newRow(name) << QString(name) << 15;
    }
    QTest::newRow("hypercube") << "hypercube" << 16;
    QTest::newRow("pair") << "ring" << 2;
    QTest::newRow("broken torus") << "torus:4x" << 15;
    QTest::newRow("wrong torus") << "torus:4x4" << 15;
    QTest::newRow("torus of a prime") << "torus" << 13;
    QTest::newRow("nameless") << "" << 15;
    QTest::newRow("large") << "random-regular:4" << 120;
  }
  void everyone_has_a_place_of_their_own() {
    QFETCH(QString, description);
    QFETCH(int, workers);
    GraphShape shape = random_graph(workers);
    shape.description = description.toStdString();
    const auto places = layout_graph(shape);
    QCOMPARE(places.size(), std::size_t(workers));
    double nearest = 1;
    for (std::size_t a = 0; a < places.size(); ++a) {
      QVERIFY(places[a].x() >= 0 && places[a].x() <= 1 && places[a].y() >= 0 && places[a].y() <= 1);
      for (std::size_t b = a + 1; b < places.size(); ++b)
        nearest = std::min(nearest, distance(places[a], places[b]));
    }
    QVERIFY2(nearest > 0.2 / workers, qPrintable(QString::number(nearest)));
    QVERIFY(layout_graph(shape) == places);
  }

  void a_ring_is_a_circle() {
    const auto places = layout_graph({16, "ring", {}});
    for (int k = 0; k < 16; ++k) {
      QVERIFY(std::abs(distance(places[k], {0.5, 0.5}) - distance(places[0], {0.5, 0.5})) < 1e-9);
      QVERIFY(std::abs(distance(places[k], places[(k + 1) % 16]) - distance(places[0], places[1])) < 1e-9);
    }
    // Rank 0 on top.
    QVERIFY(places[0].y() < 0.1);
  }

  void a_star_has_its_hub_in_the_middle() {
    QVERIFY(distance(layout_graph({9, "star", {}})[0], {0.5, 0.5}) < 1e-9);
  }

  void a_path_is_open() {
    const auto places = layout_graph({12, "path", {}});
    QVERIFY(distance(places[0], places[11]) > 1.5 * distance(places[0], places[1]));
  }

  void nodes_keep_their_place() {
    GraphShape shape = random_graph(20);
    const auto before = layout_graph(shape);
    GraphShape grown = random_graph(23);
    const auto after = layout_graph(grown, before);
    for (std::size_t k = 0; k < 20; ++k)
      QVERIFY(after[k] == before[k]);
    for (std::size_t k = 20; k < 23; ++k)
      QVERIFY(after[k].x() >= 0 && after[k].x() <= 1);
    // An edge that goes moves nobody either.
    shape.edges.pop_back();
    QVERIFY(layout_graph(shape, before) == before);
  }

  void nobody_and_one() {
    QVERIFY(layout_graph({0, "ring", {}}).empty());
    QCOMPARE(layout_graph({1, "", {}}).size(), std::size_t(1));
  }

  void edges_to_nowhere_are_left_out() {
    GraphShape shape = random_graph(6);
    shape.edges.emplace_back(2, 99);
    shape.edges.emplace_back(-1, 3);
    QCOMPARE(layout_graph(shape).size(), std::size_t(6));
  }

  void a_thousand_are_laid_out_in_time() {
    GraphShape shape = random_graph(1024);
    QElapsedTimer timer;
    timer.start();
    QCOMPARE(layout_graph(shape).size(), std::size_t(1024));
    QVERIFY2(timer.elapsed() < 5000, qPrintable(QString::number(timer.elapsed())));
  }
};

DUET_QT_TEST(GraphLayout)

}  // namespace duet::dashboard

#include "graph_layout_test.moc"
