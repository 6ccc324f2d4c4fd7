#include "dashboard/graph/graph_widget.h"

#include <QImage>
#include <QPainter>
#include <QSignalSpy>
#include <QTest>
#include <QWheelEvent>
#include <cmath>

#include "dashboard/graph/graph_layout.h"
#include "test_main.h"

namespace duet::dashboard {

class GraphWidgetTest : public QObject {
  Q_OBJECT

  static GraphScene ring(int workers) {
    GraphScene scene;
    const auto places = layout_graph({workers, "ring", {}});
    for (int k = 0; k < workers; ++k) {
      scene.nodes.push_back(
          {.place = places[static_cast<std::size_t>(k)], .state = observer::WorkerState::kRunning});
      scene.edges.push_back({.a = k, .b = (k + 1) % workers, .rate = 1.0, .age = 0.5});
    }
    scene.largest_rate = 1.0;
    return scene;
  }

  struct Stage {
    GraphWidget graph{Theme::light()};
    Stage() {
      graph.set_scene(ring(8));
      graph.resize(400, 400);
      graph.show();
      QVERIFY(QTest::qWaitForWindowExposed(&graph));
    }
    QPoint node(int rank) const { return graph.screen_place(rank).toPoint(); }
    QPoint edge(int a, int b) const {
      return ((graph.screen_place(a) + graph.screen_place(b)) / 2).toPoint();
    }
    void wheel(QPoint at, int notches) {
      QWheelEvent event(at, graph.mapToGlobal(at), {}, {0, 120 * notches}, Qt::NoButton, Qt::NoModifier,
                        Qt::NoScrollPhase, false);
      QCoreApplication::sendEvent(&graph, &event);
    }
  };

  static QImage drawn(const GraphScene& scene) {
    QImage image(400, 400, QImage::Format_RGB32);
    QPainter painter(&image);
    const Theme theme = Theme::light();
    GraphPainter(theme, QFont()).paint(painter, image.rect(), scene, {});
    return image;
  }

 private Q_SLOTS:
  void click_picks_a_worker() {
    Stage stage;
    QSignalSpy picked(&stage.graph, &GraphWidget::worker_picked);
    QTest::mouseClick(&stage.graph, Qt::LeftButton, {}, stage.node(3));
    QCOMPARE(picked.takeFirst().at(0).toInt(), 3);
    QTest::mouseClick(&stage.graph, Qt::LeftButton, {}, {200, 190});
    QCOMPARE(picked.takeFirst().at(0).toInt(), -1);
  }

  void delete_asks_for_the_picked_edge_or_worker() {
    Stage stage;
    QSignalSpy edges(&stage.graph, &GraphWidget::edge_removal_asked);
    QSignalSpy workers(&stage.graph, &GraphWidget::worker_removal_asked);
    QTest::mouseClick(&stage.graph, Qt::LeftButton, {}, stage.edge(2, 3));
    QTest::keyClick(&stage.graph, Qt::Key_Delete);
    QCOMPARE(edges.count(), 1);
    QCOMPARE(edges.at(0).at(0).toInt(), 2);
    QCOMPARE(edges.at(0).at(1).toInt(), 3);
    QTest::mouseClick(&stage.graph, Qt::LeftButton, {}, stage.node(5));
    GraphScene scene = stage.graph.scene();
    scene.focused = 5;
    stage.graph.set_scene(scene);
    QTest::keyClick(&stage.graph, Qt::Key_Delete);
    QCOMPARE(workers.takeFirst().at(0).toInt(), 5);
  }

  void keys_go_from_worker_to_worker() {
    Stage stage;
    QSignalSpy picked(&stage.graph, &GraphWidget::worker_picked);
    QTest::keyClick(&stage.graph, Qt::Key_Right);
    QCOMPARE(picked.takeFirst().at(0).toInt(), 0);
    QTest::keyClick(&stage.graph, Qt::Key_Left);
    QCOMPARE(picked.takeFirst().at(0).toInt(), 7);
  }

  void keys_go_from_edge_to_edge() {
    Stage stage;
    GraphScene scene = stage.graph.scene();
    scene.focused = 3;
    stage.graph.set_scene(scene);
    QSignalSpy removal(&stage.graph, &GraphWidget::edge_removal_asked);
    QTest::keyClick(&stage.graph, Qt::Key_Down);
    QVERIFY((stage.graph.scene().picked_edge == std::pair(2, 3)));
    QTest::keyClick(&stage.graph, Qt::Key_Down);
    QVERIFY((stage.graph.scene().picked_edge == std::pair(3, 4)));
    // A mark outlives the next scene, and is what Delete is about.
    stage.graph.set_scene(scene);
    QTest::keyClick(&stage.graph, Qt::Key_Delete);
    QCOMPARE(removal.count(), 1);
    QCOMPARE(removal.at(0).at(1).toInt(), 4);
    QTest::keyClick(&stage.graph, Qt::Key_Down);  // round again
    QVERIFY((stage.graph.scene().picked_edge == std::pair(2, 3)));
    QTest::keyClick(&stage.graph, Qt::Key_Escape);
    QVERIFY(!stage.graph.scene().picked_edge);
    QVERIFY(stage.graph.scene().focused);
    stage.graph.pick_edge(std::pair(3, 4));
    stage.graph.set_scene({});
    QVERIFY(!stage.graph.scene().picked_edge);
  }

  void wheel_zooms_around_the_pointer_and_double_click_shows_all() {
    Stage stage;
    const QPoint at = stage.node(1);
    stage.wheel(at, 3);
    QVERIFY(stage.graph.camera().zoom > 1.5);
    QVERIFY((stage.graph.screen_place(1) - QPointF(at)).manhattanLength() < 2.0);
    stage.wheel(at, -50);
    QCOMPARE(stage.graph.camera().zoom, 1.0);
    stage.wheel(at, 3);
    QTest::mouseDClick(&stage.graph, Qt::LeftButton, {}, {200, 200});
    QVERIFY(stage.graph.camera() == GraphCamera{});
  }

  void picture_tells_state_rate_age_and_meeting() {
    const GraphScene plain = ring(8);
    const QImage before = drawn(plain);
    const auto differs = [&](const auto& change) {
      GraphScene scene = plain;
      change(scene);
      return drawn(scene) != before;
    };
    QVERIFY(!differs([](GraphScene&) {}));
    QVERIFY(differs([](GraphScene& scene) { scene.edges[0].rate = 0.2; }));
    QVERIFY(differs([](GraphScene& scene) { scene.edges[0].age = 9; }));
    QVERIFY(differs([](GraphScene& scene) { scene.edges[0].pulse = 1; }));
    QVERIFY(differs([](GraphScene& scene) { scene.edges[0].in_graph = false; }));
    QVERIFY(differs([](GraphScene& scene) { scene.nodes[2].finite = false; }));
    QVERIFY(differs([](GraphScene& scene) { scene.nodes[2].removed = true; }));
    QVERIFY(differs([](GraphScene& scene) { scene.focused = 2; }));
    QVERIFY(differs([](GraphScene& scene) { scene.picked_edge = std::pair(2, 3); }));
    std::vector<QImage> states;
    for (const auto state :
         {observer::WorkerState::kRunning, observer::WorkerState::kStraggling,
          observer::WorkerState::kStalled, observer::WorkerState::kFinished, observer::WorkerState::kGone}) {
      GraphScene scene = plain;
      scene.nodes[2].state = state;
      const QImage image = drawn(scene);
      for (const QImage& other : states)
        QVERIFY(image != other);
      states.push_back(image);
    }
  }

  void odd_scenes_are_harmless() {
    GraphScene scene;
    scene.empty_text = "Nobody yet";
    drawn(scene);
    scene = ring(3);
    scene.edges.push_back({.a = 1, .b = 77});
    scene.edges.push_back({.a = -1, .b = 0, .rate = NAN});
    scene.edges[0].rate = HUGE_VAL;
    drawn(scene);
    drawn(ring(1024));
  }
};

DUET_QT_TEST(GraphWidget)

}  // namespace duet::dashboard

#include "graph_widget_test.moc"
