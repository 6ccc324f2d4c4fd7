#include "run_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "unit/observer/sample_frames.h"

namespace duet::observer {
namespace {

using testing::HasSubstr;

class RunModelTest : public testing::Test {
 protected:
  static constexpr double kStart = 1000.0;

  RunModelTest() : run_(8), model_(ObserverOptions{}) {}

  using Change = std::function<void(int rank, telemetry::FrameState& state)>;
  /// All workers in `heard` make 5 steps and 5 meetings a second and say so 5 times a second.
  void live(double seconds, const Change& change = {}, int silent = -1) {
    const auto frames = static_cast<int>(std::lround(seconds * 5.0));
    for (int i = 0; i < frames; ++i, now_ += 0.2) {
      for (int rank = 0; rank < run_.workers(); ++rank) {
        if (rank == silent) continue;
        if (i % 5 == 0) model_.take(run_.arrival(rank, now_, header(rank)));
        const auto steps = static_cast<std::uint64_t>(std::lround((now_ - kStart) * 5.0));
        auto state = run_.state(rank, steps, 2 * (steps / 2));
        for (auto& edge : state.edges)
          edge.last_meeting = now_;
        if (change) change(rank, state);
        model_.take(run_.arrival(rank, now_, state));
      }
      model_.settle(now_ + 0.05);
      Update update;
      model_.take_update(update);
      for (const Event& event : update.events)
        events_.push_back(event);
      for (const auto& sample : update.consensus)
        consensus_.push_back(sample);
      for (const auto& meeting : update.meetings)
        meetings_.push_back(meeting);
      samples_ += update.worker_samples.size();
    }
  }
  telemetry::FrameHeader header(int rank) const {
    auto header = run_.header(rank);
    if (change_header) change_header(header);
    return header;
  }
  const Worker& worker(int rank) const { return *model_.snapshot().worker(rank); }
  std::size_t count(EventKind kind, int rank = -2) const {
    std::size_t count = 0;
    for (const Event& event : events_)
      if (event.kind == kind && (rank == -2 || event.rank == rank)) ++count;
    return count;
  }

  SampleRun run_;
  RunModel model_;
  double now_ = kStart;
  std::function<void(telemetry::FrameHeader&)> change_header;
  std::vector<Event> events_;
  std::vector<ConsensusSample> consensus_;
  std::vector<MeetingSample> meetings_;
  std::size_t samples_ = 0;
};

TEST_F(RunModelTest, ShowsWhatTheWorkersSay) {
  live(20.0);
  const Snapshot& snapshot = model_.snapshot();
  EXPECT_EQ(snapshot.run.run_id, "run-1");
  EXPECT_EQ(snapshot.run.graph, "ring");
  EXPECT_DOUBLE_EQ(snapshot.run.chi1, 13.0);
  EXPECT_EQ(snapshot.run.members, 8);
  EXPECT_EQ(snapshot.run.components, 1);
  EXPECT_NEAR(snapshot.run.started.value(), 900.0, 0.1);
  ASSERT_EQ(snapshot.workers.size(), 8u);
  ASSERT_EQ(snapshot.edges.size(), 8u);
  for (const Worker& each : snapshot.workers) {
    EXPECT_EQ(each.state, WorkerState::kRunning);
    EXPECT_EQ(each.host, "node" + std::to_string(each.rank));
    EXPECT_EQ(each.address, "node" + std::to_string(each.rank) + ":29800");
    EXPECT_NEAR(each.steps_per_second.value(), 5.0, 0.3);
    EXPECT_NEAR(each.pairings_per_second.value(), 5.0, 0.5);
    EXPECT_NEAR(each.target_pairings_per_second.value(), 5.0, 0.3);
    EXPECT_NEAR(each.pairings_per_step.value(), 1.0, 0.1);
    EXPECT_LT(each.heartbeat_age(snapshot.time).value(), 0.5);
    EXPECT_FALSE(each.loss);
    EXPECT_FALSE(each.distance_to_mean);
  }
  for (const Edge& edge : snapshot.edges) {
    EXPECT_TRUE(edge.in_graph);
    EXPECT_NEAR(edge.meetings_per_second.value(), 2.5, 0.5);
    EXPECT_NEAR(edge.target_per_second.value(), 2.5, 0.2);
    EXPECT_LT(edge.meeting_age(snapshot.time).value(), 0.5);
  }
  EXPECT_NEAR(snapshot.meetings_per_second.value(), 20.0, 2.0);
  EXPECT_TRUE(snapshot.findings.empty());
  EXPECT_EQ(samples_, 8u * 100u);
  EXPECT_EQ(count(EventKind::kWorkerJoined), 8u);
  EXPECT_EQ(events_.size(), 9u);  // and one that we are connected
}

/// What only one worker knows, and an exporter passes on as that worker would.
TEST_F(RunModelTest, AWorkersOwnViewOfTheRunIsKept) {
  live(2.0, [&](int rank, telemetry::FrameState& state) {
    state.epoch = static_cast<std::uint64_t>(rank) + 1;
    state.components = rank == 3 ? 2 : 1;
    state.edges[0].in_graph = rank != 3;
    if (rank != 5) return;
    telemetry::FrameTick tick;
    tick.tick = static_cast<std::uint64_t>(now_);
    tick.time = std::floor(now_);
    tick.members = 8;
    tick.consensus_distance = 0.75;
    tick.distance_to_mean = 0.5;
    state.ticks.push_back(tick);
  });
  EXPECT_EQ(worker(2).epoch, 3u);
  EXPECT_EQ(worker(3).components, 2);
  EXPECT_EQ(worker(2).components, 1);
  EXPECT_FALSE(worker(3).peers[0].in_graph);
  EXPECT_TRUE(worker(3).peers[1].in_graph);
  EXPECT_DOUBLE_EQ(worker(3).peers[1].target_rate, 0.5);
  EXPECT_FALSE(worker(2).tick_time);
  ASSERT_TRUE(worker(5).tick_time);
  EXPECT_NEAR(*worker(5).tick_time, std::floor(now_ - 0.2), 0.1);
  EXPECT_EQ(worker(5).consensus_distance, 0.75);
  EXPECT_EQ(worker(5).distance_to_mean, 0.5);
}

TEST_F(RunModelTest, AWorkerThatIsKilledIsGoneWithinFiveSecondsAndNamed) {
  live(10.0);
  live(4.6, {}, 3);
  EXPECT_EQ(worker(3).state, WorkerState::kGone);
  EXPECT_EQ(count(EventKind::kWorkerGone, 3), 1u);
  EXPECT_EQ(count(EventKind::kWorkerGone), 1u);
  ASSERT_FALSE(model_.snapshot().findings.empty());
  EXPECT_EQ(model_.snapshot().findings[0].kind, FindingKind::kGoneWorker);
  EXPECT_EQ(model_.snapshot().findings[0].rank, 3);
  EXPECT_FALSE(worker(3).steps_per_second);
  EXPECT_EQ(model_.snapshot().run.members, 7);
  live(2.0);
  EXPECT_EQ(worker(3).state, WorkerState::kRunning);
  EXPECT_EQ(count(EventKind::kWorkerReturned, 3), 1u);
}

TEST_F(RunModelTest, ANewIncarnationStartsCountersAnew) {
  live(10.0);
  const std::uint64_t met = model_.snapshot().edge(2, 3)->meetings;
  run_.restart(3);
  const auto young = [&](int rank, telemetry::FrameState& state) {
    if (rank != 3) return;
    const auto age = static_cast<std::uint64_t>(std::lround((now_ - kStart - 10.0) * 5.0));
    auto fresh = run_.state(3, age, 2 * (age / 2));
    for (auto& edge : fresh.edges)
      edge.last_meeting = now_;
    state = fresh;
  };
  live(4.0, young);
  EXPECT_EQ(worker(3).lives, 2);
  EXPECT_EQ(worker(3).incarnation.high, 2u);
  EXPECT_EQ(worker(3).counters.steps, 19u);
  EXPECT_EQ(worker(3).state, WorkerState::kRunning);
  ASSERT_TRUE(worker(3).steps_per_second);
  EXPECT_NEAR(*worker(3).steps_per_second, 5.0, 0.5);
  EXPECT_EQ(count(EventKind::kWorkerRestarted, 3), 1u);
  EXPECT_GE(model_.snapshot().edge(2, 3)->meetings, met);
  // A frame of its former life that was under way does not bring it back.
  telemetry::Frame late = run_.frame(3, now_, run_.state(3, 5000, 0));
  late.incarnation.high = 1;
  model_.take({now_, telemetry::encode(late)});
  EXPECT_EQ(worker(3).counters.steps, 19u);
  EXPECT_EQ(worker(3).lives, 2);
}

TEST_F(RunModelTest, AStallAndAStragglerAreToldApart) {
  live(10.0);
  std::uint64_t slow_steps = 50;
  live(20.0, [&](int rank, telemetry::FrameState& state) {
    if (rank == 2) state.steps = 49;
    if (rank == 5) state.steps = slow_steps + static_cast<std::uint64_t>((now_ - kStart - 10.0) * 1.5);
  });
  EXPECT_EQ(worker(2).state, WorkerState::kStalled);
  EXPECT_EQ(worker(5).state, WorkerState::kStraggling);
  EXPECT_EQ(count(EventKind::kWorkerStalled), 1u);
  EXPECT_EQ(count(EventKind::kWorkerStraggling), 1u);
  EXPECT_FALSE(worker(2).running_since);
  EXPECT_TRUE(worker(5).running_since);
}

TEST_F(RunModelTest, AFinishedWorkerIsNotLost) {
  live(5.0);
  live(5.0, [](int rank, telemetry::FrameState& state) {
    if (rank == 1) state.phase = membership::Phase::kFinished;
  });
  live(10.0, {}, 1);
  EXPECT_EQ(worker(1).state, WorkerState::kFinished);
  EXPECT_EQ(count(EventKind::kWorkerFinished), 1u);
  EXPECT_EQ(count(EventKind::kWorkerGone), 0u);
}

TEST_F(RunModelTest, TicksAreAlignedAndMissingOnesAreMissing) {
  const auto tick = [&](int rank, telemetry::FrameState& state) {
    const auto number = static_cast<std::uint64_t>(now_ + 0.1);
    if (std::fabs(now_ - static_cast<double>(number)) > 0.05 || number == 1005) return;
    state.ticks.push_back({.tick = number,
                           .time = static_cast<double>(number),
                           .members = 8,
                           .consensus_distance = 2.0,
                           .distance_to_mean = 1.0 + 0.1 * rank,
                           .loss = 0.5});
  };
  live(10.0, tick);
  ASSERT_EQ(consensus_.size(), 9u);
  EXPECT_EQ(model_.snapshot().missed_ticks, 1u);
  EXPECT_EQ(model_.snapshot().ticks, 9u);
  EXPECT_DOUBLE_EQ(consensus_[0].mean, 2.0);
  EXPECT_DOUBLE_EQ(consensus_[0].max, 1.7);
  EXPECT_EQ(consensus_[0].max_rank, 7);
  EXPECT_EQ(consensus_[0].workers.size(), 8u);
  EXPECT_DOUBLE_EQ(worker(3).distance_to_mean.value(), 1.3);
}

TEST_F(RunModelTest, AMeetingIsToldOnceEvenWhenOneEndIsNotHeard) {
  live(2.0);
  const auto meet = [&](int rank, telemetry::FrameState& state) {
    if (rank == 2) state.events.push_back({now_, telemetry::FrameEventKind::kMeeting, 0, 3, 0.7, 0.01});
    if (rank == 3) state.events.push_back({now_, telemetry::FrameEventKind::kMeeting, 0, 2, 0.7, 0.01});
  };
  live(1.0, meet);
  ASSERT_EQ(meetings_.size(), 5u);
  EXPECT_EQ(meetings_[0].a, 2);
  EXPECT_EQ(meetings_[0].b, 3);
  EXPECT_DOUBLE_EQ(meetings_[0].distance.value(), 0.7);
  live(5.0, {}, 2);
  meetings_.clear();
  live(1.0, meet, 2);
  EXPECT_EQ(meetings_.size(), 5u);
}

TEST_F(RunModelTest, FramesThatComeTwiceCountOnce) {
  const auto header = run_.arrival(0, now_, run_.header(0));
  model_.take(header);
  model_.take(header);
  EXPECT_EQ(worker(0).frames, 1u);
  EXPECT_EQ(worker(0).frames_lost, 0u);
}

TEST_F(RunModelTest, LostFramesAreCountedAndToldOnceAMinute) {
  live(5.0);
  for (int i = 0; i < 5; ++i) {
    run_.lose_frames(4, 3);
    live(1.0);
  }
  EXPECT_EQ(worker(4).frames_lost, 15u);
  EXPECT_EQ(count(EventKind::kLost), 1u);
}

TEST_F(RunModelTest, GarbageIsRefusedWithAReasonAndDoesNotFlood) {
  live(2.0);
  for (int i = 0; i < 500; ++i)
    model_.take({now_, "GET / HTTP/1.1"});
  live(1.0);
  EXPECT_EQ(count(EventKind::kRefused), 1u);
  telemetry::Frame far = run_.frame(0, now_, run_.state(0, 1, 1));
  far.rank = 60000;
  model_.take({now_, telemetry::encode(far)});
  EXPECT_EQ(model_.snapshot().workers.size(), 8u);
}

TEST_F(RunModelTest, AnotherRunIsLeftOutUntilOursIsOver) {
  live(5.0);
  SampleRun other(2, "run-2");
  model_.take(other.arrival(0, now_, other.header(0)));
  EXPECT_EQ(model_.snapshot().run.run_id, "run-1");
  model_.settle(now_ + 20.0);
  now_ += 20.0;
  model_.take(other.arrival(0, now_, other.header(0)));
  model_.settle(now_ + 0.1);
  Update update;
  model_.take_update(update);
  EXPECT_TRUE(update.restarted);
  EXPECT_EQ(model_.snapshot().run.run_id, "run-2");
  EXPECT_EQ(model_.snapshot().generation, 1u);
  EXPECT_EQ(model_.snapshot().workers.size(), 2u);
}

TEST_F(RunModelTest, AClockThatIsOffIsCorrected) {
  for (int i = 0; i < 50; ++i, now_ += 0.2) {
    auto state = run_.state(1, static_cast<std::uint64_t>(i), 0);
    for (auto& edge : state.edges) {
      edge.meetings = 1;
      edge.last_meeting = now_ + 3600.0;
    }
    auto frame = run_.frame(1, now_ + 3600.0, state);
    model_.take({now_ + 0.01, telemetry::encode(frame)});
    model_.settle(now_ + 0.05);
  }
  EXPECT_NEAR(worker(1).clock_offset.value(), 3600.0, 0.1);
  ASSERT_TRUE(model_.snapshot().edge(0, 1)->last_meeting);
  EXPECT_LT(model_.snapshot().edge(0, 1)->meeting_age(model_.snapshot().time).value(), 1.0);
  Update update;
  model_.take_update(update);
  bool told = false;
  for (const Event& event : update.events)
    told = told || (event.kind == EventKind::kClock && event.text.find("3600 s ahead") != std::string::npos);
  EXPECT_TRUE(told);
}

TEST_F(RunModelTest, AClockThatJumpsDoesNotMakeRatesJump) {
  double shift = 0.0;
  for (int i = 0; i < 100; ++i, now_ += 0.2) {
    if (i == 50) shift = 500.0;
    if (i == 75) shift = -500.0;
    model_.take({now_ + 0.01, telemetry::encode(run_.frame(
                                  1, now_ + shift, run_.state(1, static_cast<std::uint64_t>(i), 0)))});
    model_.settle(now_ + 0.05);
    if (!worker(1).steps_per_second) continue;
    EXPECT_NEAR(*worker(1).steps_per_second, 5.0, 0.1) << i;
  }
  EXPECT_TRUE(worker(1).steps_per_second);
}

TEST_F(RunModelTest, TheGraphIsThatOfTheMajority) {
  live(5.0);
  // Worker 7 alone thinks that everyone else is gone.
  change_header = {};
  auto alone = run_.header(7);
  alone.epoch = 8;
  alone.edges.clear();
  model_.take(run_.arrival(7, now_, alone));
  model_.settle(now_ + 0.05);
  EXPECT_EQ(model_.snapshot().run.epoch, 1u);
  EXPECT_TRUE(model_.snapshot().edge(6, 7)->in_graph);
  // All others close the ring over it.
  change_header = [](telemetry::FrameHeader& header) {
    header.epoch = 2;
    header.edges.clear();
    for (int a = 0; a < 7; ++a)
      header.edges.push_back({std::min(a, (a + 1) % 7), std::max(a, (a + 1) % 7), 0.5});
  };
  live(6.0, {}, 7);
  EXPECT_EQ(model_.snapshot().run.epoch, 2u);
  EXPECT_FALSE(model_.snapshot().edge(6, 7)->in_graph);
  ASSERT_NE(model_.snapshot().edge(0, 6), nullptr);
  EXPECT_TRUE(model_.snapshot().edge(0, 6)->in_graph);
  EXPECT_EQ(count(EventKind::kEpochChanged), 1u);
  EXPECT_EQ(model_.snapshot().run.components, 1);
}

TEST_F(RunModelTest, WhatIsNotFiniteIsAFindingAndAnEvent) {
  live(5.0);
  live(2.0, [](int rank, telemetry::FrameState& state) { state.parameters_finite = rank != 6; });
  EXPECT_FALSE(worker(6).finite);
  EXPECT_EQ(count(EventKind::kNonFinite, 6), 1u);
  ASSERT_EQ(model_.snapshot().findings.size(), 1u);
  EXPECT_EQ(model_.snapshot().findings[0].kind, FindingKind::kNonFinite);
  const double since = model_.snapshot().findings[0].since;
  live(5.0, [](int rank, telemetry::FrameState& state) { state.parameters_finite = rank != 6; });
  EXPECT_DOUBLE_EQ(model_.snapshot().findings[0].since, since);
  live(1.0);
  EXPECT_TRUE(model_.snapshot().findings.empty());
}

TEST_F(RunModelTest, AnUpdateNamesWhatChangedAndNothingElse) {
  live(5.0);
  Update update;
  model_.settle(now_);
  model_.take_update(update);
  model_.settle(now_);
  model_.take_update(update);
  EXPECT_FALSE(update.changed);
  model_.take(run_.arrival(2, now_, run_.state(2, 1000, 0)));
  model_.settle(now_);
  model_.take_update(update);
  EXPECT_TRUE(update.changed);
  EXPECT_FALSE(update.shape_changed);
  EXPECT_EQ(update.workers, std::vector<int>{2});
  EXPECT_EQ(update.edges.size(), 2u);
  EXPECT_EQ(update.worker_samples.size(), 1u);
}

TEST_F(RunModelTest, ALossIsASampleOnlyWhenItIsNew) {
  std::vector<std::optional<double>> losses;
  for (int i = 0; i < 4; ++i) {
    auto state = run_.state(0, static_cast<std::uint64_t>(i), 0);
    state.losses = i < 2 ? 1 : 2;
    state.loss = i < 2 ? 0.5 : std::numeric_limits<double>::quiet_NaN();
    model_.take(run_.arrival(0, now_ + 0.2 * i, state));
    Update update;
    model_.take_update(update);
    losses.push_back(update.worker_samples.at(0).loss);
  }
  EXPECT_DOUBLE_EQ(losses[0].value(), 0.5);
  EXPECT_FALSE(losses[1]);
  EXPECT_TRUE(std::isnan(losses[2].value()));  // measured, and not finite
  EXPECT_FALSE(losses[3]);
}

TEST(RunViews, WhatMostSayStands) {
  SampleRun run(5);
  RunViews views;
  EXPECT_EQ(views.header(), nullptr);
  auto one = run.header(0), other = run.header(0);
  other.epoch = 2;
  views.say(0, one);
  views.say(1, other);
  EXPECT_EQ(views.header()->epoch, 2u);  // of two views as many, the later one
  views.say(2, one);
  EXPECT_EQ(views.header()->epoch, 1u);
  const auto version = views.version();
  views.say(2, one);
  EXPECT_EQ(views.version(), version);
  views.forget(0);
  views.forget(2);
  EXPECT_EQ(views.header()->epoch, 2u);
  views.forget(1);
  EXPECT_EQ(views.header()->epoch, 2u);  // the last one stands
  views.say(3, one);
  EXPECT_EQ(views.header()->epoch, 1u);
}

}  // namespace
}  // namespace duet::observer
