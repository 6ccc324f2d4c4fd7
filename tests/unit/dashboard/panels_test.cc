#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <cmath>
#include <set>

#include "dashboard/graph/graph_view_model.h"
#include "dashboard/panels/diagnosis_panel.h"
#include "dashboard/panels/plots_panel.h"
#include "dashboard/panels/replay_panel.h"
#include "dashboard/panels/run_header.h"
#include "snapshots.h"
#include "test_main.h"

namespace duet::dashboard {

using testing::frames;
using testing::kStart;
using testing::ring_snapshot;

class PanelsTest : public QObject {
  Q_OBJECT

  /// A recording of 100 s, without a file.
  class FakePlayback : public observer::Playback {
   public:
    double begin() const override { return kStart; }
    double end() const override { return kStart + 100; }
    double position() const override { return position_; }
    bool playing() const override { return playing_; }
    void play() override {
      if (position_ >= end()) position_ = begin();
      playing_ = true;
    }
    void pause() override { playing_ = false; }
    double speed() const override { return speed_; }
    void set_speed(double speed) override { speed_ = speed; }
    void seek(double time) override { position_ = time; }
    bool can_seek() const override { return true; }

   private:
    double position_ = kStart;
    double speed_ = 1.0;
    bool playing_ = true;
  };

  static observer::Finding finding(observer::Severity severity, int rank, const std::string& text,
                                   int peer = -1) {
    observer::Finding found;
    found.severity = severity;
    found.rank = rank;
    found.peer = peer;
    found.text = text;
    found.advice = "look at it";
    return found;
  }

 private Q_SLOTS:
  void the_strip_names_the_rank_and_a_click_jumps_there() {
    DiagnosisPanel strip(Theme::light());
    strip.resize(1200, 40);
    strip.show();
    QVERIFY(strip.shown_texts()[0].contains("Waiting"));
    strip.apply({}, false);
    QCOMPARE(strip.shown_texts()[0], QString("✓ Nothing is wrong"));
    strip.apply({finding(observer::Severity::kError, 3, "worker 3 has made no step for 14 s"),
                 finding(observer::Severity::kWarning, 5, "workers 5 and 6 do not meet", 6)},
                false);
    QCOMPARE(strip.shown_texts().size(), std::size_t(2));
    QVERIFY(strip.shown_texts()[0].contains("worker 3"));
    QSignalSpy picked(&strip, &DiagnosisPanel::finding_picked);
    for (QPushButton* button : strip.findChildren<QPushButton*>()) {
      if (button->text().contains("workers 5")) QTest::mouseClick(button, Qt::LeftButton);
    }
    QCOMPARE(picked.count(), 1);
    QCOMPARE(picked.at(0).at(0).toInt(), 5);
    QCOMPARE(picked.at(0).at(1).toInt(), 6);
  }

  void a_button_says_the_same_from_press_to_release() {
    DiagnosisPanel strip(Theme::light());
    strip.resize(1200, 40);
    strip.show();
    strip.apply({finding(observer::Severity::kError, 3, "worker 3 stalls")}, false);
    QSignalSpy picked(&strip, &DiagnosisPanel::finding_picked);
    QPushButton* button = nullptr;
    for (QPushButton* one : strip.findChildren<QPushButton*>()) {
      if (one->text().contains("worker 3")) button = one;
    }
    QVERIFY(button != nullptr);
    QTest::mousePress(button, Qt::LeftButton);
    strip.apply({finding(observer::Severity::kError, 5, "worker 5 is gone")}, false);
    QVERIFY(button->text().contains("worker 3"));
    QTest::mouseRelease(button, Qt::LeftButton);
    QCOMPARE(picked.count(), 1);
    QCOMPARE(picked.at(0).at(0).toInt(), 3);
    strip.apply({finding(observer::Severity::kError, 5, "worker 5 is gone")}, false);
    QVERIFY(button->text().contains("worker 5"));
  }

  void a_narrow_strip_hides_nothing_silently() {
    DiagnosisPanel strip(Theme::light());
    strip.resize(500, 40);
    strip.show();
    std::vector<observer::Finding> many;
    for (int rank = 0; rank < 100; ++rank)
      many.push_back(finding(observer::Severity::kError, rank,
                             "worker " + std::to_string(rank) + " has made no step for 14 s"));
    strip.apply(many, false);
    const auto shown = static_cast<int>(strip.shown_texts().size());
    QVERIFY(shown >= 1 && shown < 8);
    QPushButton* more = nullptr;
    for (QPushButton* button : strip.findChildren<QPushButton*>()) {
      if (button->text() == QString("+%1 more").arg(100 - shown)) more = button;
      if (!button->isHidden()) QVERIFY(button->geometry().right() <= strip.width());
    }
    QVERIFY(more != nullptr);
    // The menu fits a screen, and says so.
    more->click();
    const auto* menu = strip.findChild<QMenu*>();
    QVERIFY(menu != nullptr);
    QCOMPARE(menu->actions().size(), 31);
    QVERIFY(menu->actions().last()->text().contains("70"));
  }

  void the_header_wraps_and_never_clips() {
    observer::Snapshot snapshot = ring_snapshot(16);
    snapshot.run.chi1 = 13.1371;
    snapshot.run.chi2 = 0.9375;
    snapshot.run.eta = 0.14247;
    snapshot.run.alpha_tilde = 1.8717;
    snapshot.workers[2].state = observer::WorkerState::kGone;
    RunHeader header(Theme::light());
    header.apply(snapshot);
    QVERIFY(header.heightForWidth(500) > header.heightForWidth(1600));
    QStringList all;
    for (const RunHeader::Item& item : header.items())
      all << item.name + "=" + item.value;
    QVERIFY2(all.contains("algorithm=A²CiD²"), qPrintable(all.join(' ')));
    QVERIFY(all.contains("workers=15 / 16"));
    QVERIFY(all.contains("χ₁=13.14"));
    QVERIFY(all.contains("χ₂=0.9375"));
    QVERIFY(all.contains("η=0.1425"));
    QVERIFY(all.contains("α̃=1.872"));
    QVERIFY(all.contains("transport=inproc"));
    QVERIFY(all.contains("epoch=0"));
  }

  void few_workers_lines_many_mean_and_band() {
    for (const int workers : {8, 64}) {
      SeriesStore store;
      Selection selection;
      selection.set_workers(workers);
      for (int k = 0; k < 20; ++k)
        store.apply(ring_snapshot(workers, kStart + k), frames(workers, kStart + k));
      const auto content = [&] {
        return PlotsPanel::content(PlotsPanel::kConsensus, store, ring_snapshot(workers), selection,
                                   store.extent(), true, Theme::light());
      };
      const bool many = workers > Selection::kManyWorkers;
      QCOMPARE(content().bands.size(), std::size_t(many ? 1 : 0));
      QCOMPARE(content().curves.size(), std::size_t(many ? 2 : workers + 2));
      QCOMPARE(content().scale, ScaleKind::kLog);
      // One on request; attention is a request too.
      if (many) {
        selection.toggle(7);
        QCOMPARE(content().curves.size(), std::size_t(3));
        selection.focus(9);
        QCOMPARE(content().curves.size(), std::size_t(4));
      }
    }
  }

  void pairings_have_their_target() {
    SeriesStore store;
    Selection selection;
    selection.set_workers(4);
    for (int k = 0; k < 20; ++k)
      store.apply(ring_snapshot(4, kStart + k), frames(4, kStart + k));
    const PlotContent content = PlotsPanel::content(PlotsPanel::kPairings, store, ring_snapshot(4), selection,
                                                    store.extent(), true, Theme::light());
    QVERIFY(std::any_of(content.curves.begin(), content.curves.end(),
                        [](const Curve& curve) { return curve.name == "target" && curve.in_key; }));
    QVERIFY(!content.unit.isEmpty());
  }

  void a_loss_that_is_not_finite_is_a_mark() {
    SeriesStore store;
    Selection selection;
    selection.set_workers(2);
    store.apply(ring_snapshot(2, kStart + 1), frames(2, kStart + 1, NAN));
    const PlotContent content = PlotsPanel::content(PlotsPanel::kLoss, store, ring_snapshot(2), selection,
                                                    store.extent(), true, Theme::light());
    // Two at one moment are one cross.
    QCOMPARE(content.marks.size(), std::size_t(1));
    QCOMPARE(content.marks[0].time, kStart + 1);
  }

  void a_run_of_nothing_but_nan_is_drawn_quickly() {
    constexpr int kWorkers = 40;
    SeriesStore store;
    Selection selection;
    selection.set_workers(kWorkers);
    for (int k = 0; k < 900; ++k)
      store.apply(ring_snapshot(kWorkers, kStart + k), frames(kWorkers, kStart + k, NAN));
    const auto marks = [&](const TimeRange& range) {
      return PlotsPanel::content(PlotsPanel::kLoss, store, ring_snapshot(kWorkers), selection, range, true,
                                 Theme::light())
          .marks;
    };
    const auto all = marks(store.extent());
    QVERIFY2(all.size() >= 400 && all.size() <= 501, qPrintable(QString::number(all.size())));
    // Zoomed in, each of them again.
    std::set<double> times;
    for (const Mark& mark : marks({kStart + 100, kStart + 120})) {
      if (mark.time <= kStart + 120) times.insert(mark.time);
    }
    QCOMPARE(times.size(), std::size_t(21));
  }

  void the_bound_falls_as_theory_says() {
    observer::Snapshot snapshot = ring_snapshot(16, kStart + 100);
    snapshot.run.chi1 = 13.1371;
    snapshot.run.chi2 = 0.9375;
    Series mean(1000);
    for (int k = 0; k <= 100; ++k)
      mean.append(kStart + k, k == 20 ? 8.0 : 1.0);
    const auto line = mixing_bound(mean, {kStart, kStart + 100}, snapshot);
    QCOMPARE(line.size(), std::size_t(2));
    QCOMPARE(line[0].time, kStart + 20);
    QCOMPARE(line[0].value, 8.0);
    const double steps = 80 * 5.0;
    QVERIFY(std::abs(line[1].value - 8 * std::exp(-steps / (2 * std::sqrt(13.1371 * 0.9375)))) < 1e-9);
    snapshot.run.algorithm = "adpsgd";
    QVERIFY(std::abs(mixing_bound(mean, {kStart, kStart + 100}, snapshot)[1].value -
                     8 * std::exp(-steps / (2 * 13.1371))) < 1e-9);
    snapshot.run.chi1 = 0;
    QVERIFY(mixing_bound(mean, {kStart, kStart + 100}, snapshot).empty());
  }

  void at_its_end_a_recording_starts_again() {
    FakePlayback playback;
    ReplayPanel replay;
    replay.set_playback(&playback);
    QCOMPARE(replay.play_button().text(), QString("❚❚"));
    playback.seek(playback.end());
    replay.refresh({});
    // It still "plays", but nothing moves: the button offers to start.
    QVERIFY(playback.playing());
    QCOMPARE(replay.play_button().text(), QString("▶"));
    replay.toggle();
    QVERIFY(playback.playing());
    QCOMPARE(playback.position(), kStart);
    replay.toggle();
    QVERIFY(!playback.playing());
  }

  void a_dragged_slider_says_where_it_would_go() {
    FakePlayback playback;
    ReplayPanel replay;
    replay.set_playback(&playback);
    replay.slider().setSliderDown(true);
    replay.slider().setSliderPosition(replay.slider().maximum() / 2);
    QCOMPARE(replay.position_text(), QString("0:50 / 1:40"));
    QCOMPARE(playback.position(), kStart);
    replay.slider().setSliderDown(false);
    QCOMPARE(playback.position(), kStart + 50);
  }

  void scene_and_matrix_tell_rates_and_meetings() {
    observer::Snapshot snapshot = ring_snapshot(6);
    snapshot.edges[2].last_meeting = snapshot.time;
    snapshot.edges[3].last_meeting = snapshot.time - 60;
    snapshot.edges[4].in_graph = false;
    snapshot.edges[4].meetings_per_second = 0.0;
    GraphViewModel model;
    model.apply(snapshot, true, {});
    QVERIFY(model.scene().edges[2].pulse > 0.99);
    QCOMPARE(model.scene().edges[3].pulse, 0.0);
    QVERIFY(*model.scene().edges[3].age > model.scene().old_age);
    QVERIFY(model.scene().nodes[1].tip.contains("worker 1 on node1"));
    const std::vector<GraphNode> before = model.scene().nodes;
    snapshot.workers[2].state = observer::WorkerState::kGone;
    model.apply(snapshot, true, {});
    for (std::size_t k = 0; k < before.size(); ++k)
      QVERIFY(before[k].place == model.scene().nodes[k].place);
    const MatrixContent matrix = pairing_matrix(snapshot);
    QCOMPARE(matrix.at(0, 1), 2.0F);
    QVERIFY(std::isnan(matrix.at(0, 3)));
    QVERIFY(std::isnan(matrix.at(4, 5)));
    QCOMPARE(matrix.largest, 2.0F);
  }
};

DUET_QT_TEST(Panels)

}  // namespace duet::dashboard

#include "panels_test.moc"
