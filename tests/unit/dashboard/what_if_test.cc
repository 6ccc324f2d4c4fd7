#include "dashboard/data/what_if.h"

#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "dashboard/panels/graph_panel.h"
#include "dashboard/panels/what_if_panel.h"
#include "snapshots.h"
#include "test_main.h"

namespace duet::dashboard {

using testing::ring_snapshot;

/// Row 14: what would become of the graph.
class WhatIfTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void as_it_is_agrees_with_the_topology() {
    const Prediction as_is = predict(GraphOfRun::of(ring_snapshot(16)), {});
    const Constants ring = Topology::make("ring", 16).constants();
    QVERIFY(as_is.known() && as_is.connected());
    QVERIFY(std::abs(as_is.constants.chi1 - ring.chi1) < 1e-9 * ring.chi1);
    QVERIFY(std::abs(as_is.constants.chi2 - ring.chi2) < 1e-9);
    QVERIFY(std::abs(as_is.mixing_steps - std::sqrt(ring.chi1 * ring.chi2)) < 1e-9);
  }

  void without_an_edge_a_ring_is_a_path() {
    WhatIf what;
    what.toggle_edge(4, 3);
    const Prediction cut = predict(GraphOfRun::of(ring_snapshot(16)), what);
    QVERIFY(cut.known() && cut.connected());
    // A path of edges at the ring's rates, ½ each.
    std::vector<Edge> edges;
    for (int k = 0; k < 15; ++k)
      edges.push_back({k, k + 1, 0.5});
    QVERIFY(std::abs(cut.constants.chi1 - Topology::from_edges(16, edges).constants().chi1) < 1e-6);
    what.toggle_edge(3, 4);
    QVERIFY(what.empty());
  }

  void without_a_worker_the_ring_closes() {
    WhatIf what;
    what.toggle_worker(5);
    const Prediction smaller = predict(GraphOfRun::of(ring_snapshot(16)), what);
    QCOMPARE(smaller.workers, 15);
    QVERIFY(smaller.connected());
    QVERIFY(std::abs(smaller.constants.chi1 - Topology::make("ring", 15).constants().chi1) < 1e-9);
  }

  void a_graph_from_a_file_is_not_repaired() {
    observer::Snapshot snapshot = ring_snapshot(8);
    snapshot.run.graph = "file:/nowhere";
    WhatIf what;
    what.toggle_worker(0);
    what.toggle_edge(3, 4);
    const Prediction cut = predict(GraphOfRun::of(snapshot), what);
    QCOMPARE(cut.components, 2);
    QVERIFY(std::isinf(cut.constants.chi1));
    QVERIFY((cut.cut_off == std::vector<int>{1, 2, 3}));
  }

  void the_gone_do_not_count_and_nobody_is_left() {
    observer::Snapshot snapshot = ring_snapshot(3);
    snapshot.workers[1].state = observer::WorkerState::kGone;
    QCOMPARE(predict(GraphOfRun::of(snapshot), {}).workers, 2);
    WhatIf all;
    for (int rank = 0; rank < 3; ++rank)
      all.toggle_worker(rank);
    QVERIFY(!predict(GraphOfRun::of(snapshot), all).known());
    QVERIFY(!predict({}, {}).known());
    WhatIf two;
    two.toggle_worker(0);
    QVERIFY(predict(GraphOfRun::of(snapshot), two).connected());
  }

  void texts_of_changes() {
    QCOMPARE(change_text("χ₁", 10, 12.5), QString("χ₁ 10 → 12.50 (+25 %)"));
    QCOMPARE(change_text("χ₁", 10, 9.5), QString("χ₁ 10 → 9.500 (−5.0 %)"));
    QCOMPARE(change_text("χ₁", 10, 10), QString("χ₁ 10 → 10 (±0 %)"));
    QCOMPARE(change_text("χ₁", 10, HUGE_VAL), QString("χ₁ 10 → ∞"));
  }

  void the_panel_answers_in_the_background() {
    Selection selection;
    GraphPanel panel(selection, Theme::light());
    panel.resize(500, 500);
    panel.show();
    const observer::Snapshot snapshot = ring_snapshot(16);
    panel.apply(snapshot, true);
    QVERIFY(!panel.prediction().isVisible());
    QSignalSpy answered(&panel.prediction(), &WhatIfPanel::answered);
    panel.toggle_worker(5);
    QVERIFY(panel.prediction().isVisible());
    QVERIFY(answered.wait(10000));
    QVERIFY2(panel.prediction().text().contains("Without worker 5"), qPrintable(panel.prediction().text()));
    QVERIFY(panel.prediction().text().contains("χ₁ 13.14"));
    QVERIFY(panel.prediction().text().contains("mixing time"));
    QVERIFY(panel.graph().scene().nodes[5].removed);
    // Asked twice quickly: the last question is the one that is answered.
    panel.toggle_edge(0, 1);
    panel.toggle_edge(8, 9);
    QTRY_VERIFY_WITH_TIMEOUT(panel.prediction().text().contains("edge 8 – 9"), 10000);
    QVERIFY2(panel.prediction().text().contains("2 parts"), qPrintable(panel.prediction().text()));
    panel.prediction().reset_button().click();
    QVERIFY(!panel.prediction().isVisible());
    QVERIFY(!panel.graph().scene().nodes[5].removed);
  }
};

DUET_QT_TEST(WhatIf)

}  // namespace duet::dashboard

#include "what_if_test.moc"
