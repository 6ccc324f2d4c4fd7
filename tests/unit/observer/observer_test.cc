#include "duet/observer/observer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "duet/error.h"

namespace duet::observer {
namespace {

DemoOptions quiet(int workers) {
  DemoOptions options;
  options.workers = workers;
  options.standard_troubles = false;
  return options;
}

/// Everything that came until `end`, ten times a second.
struct Watched {
  std::vector<Event> events;
  std::vector<ConsensusSample> consensus;
  std::vector<MeetingSample> meetings;
  std::set<FindingKind> findings;
  std::size_t samples = 0;
};
void watch(Observer& observer, double from, double end, Watched& watched) {
  for (double now = from; now <= end; now += 0.1) {
    do {
      const Update& update = observer.poll(now);
      watched.events.insert(watched.events.end(), update.events.begin(), update.events.end());
      watched.consensus.insert(watched.consensus.end(), update.consensus.begin(), update.consensus.end());
      watched.meetings.insert(watched.meetings.end(), update.meetings.begin(), update.meetings.end());
      watched.samples += update.worker_samples.size();
      for (const Finding& finding : observer.snapshot().findings)
        watched.findings.insert(finding.kind);
      if (!update.more) break;
    } while (true);
  }
}

TEST(Observer, AHealthyDemoHasNoFindingsAndRatesOnTarget) {
  Observer observer(make_demo_source(quiet(16)));
  Watched watched;
  watch(observer, 0.0, 90.0, watched);
  const Snapshot& snapshot = observer.snapshot();
  EXPECT_TRUE(watched.findings.empty()) << to_string(*watched.findings.begin());
  EXPECT_EQ(snapshot.run.members, 16);
  EXPECT_NEAR(snapshot.run.chi1, 13.1371, 1e-3);
  for (const Worker& worker : snapshot.workers) {
    EXPECT_EQ(worker.state, WorkerState::kRunning);
    EXPECT_NEAR(worker.steps_per_second.value(), 5.0, 1.0);
    EXPECT_GT(worker.pairings_per_second.value(), 2.0);
    EXPECT_TRUE(worker.distance_to_mean);
    EXPECT_TRUE(worker.loss);
  }
  EXPECT_NEAR(static_cast<double>(watched.consensus.size()), 89.0, 3.0);
  EXPECT_EQ(snapshot.missed_ticks, 0u);
  // Told meetings and counted ones are the same.
  std::uint64_t counted = 0;
  for (const Edge& edge : snapshot.edges)
    counted += edge.meetings;
  EXPECT_NEAR(static_cast<double>(watched.meetings.size()), static_cast<double>(counted), 16.0);
  for (const ConsensusSample& sample : watched.consensus) {
    double squares = 0.0;
    for (const RankDistance& worker : sample.workers)
      squares += worker.distance * worker.distance;
    if (sample.workers.size() != 16u) continue;
    EXPECT_NEAR(std::sqrt(squares / 16.0), sample.mean, 1e-9);
  }
}

TEST(Observer, EveryTroubleOfTheDemoIsFoundAndPasses) {
  DemoOptions options;
  options.workers = 16;
  options.seed = 3;
  Observer observer(make_demo_source(options));
  Watched watched;
  watch(observer, 0.0, 238.0, watched);
  for (const FindingKind kind :
       {FindingKind::kGoneWorker, FindingKind::kStalledWorker, FindingKind::kStraggler,
        FindingKind::kNonFinite, FindingKind::kDeadEdge, FindingKind::kSplitGraph})
    EXPECT_TRUE(watched.findings.contains(kind)) << to_string(kind);
  std::set<EventKind> kinds;
  for (const Event& event : watched.events)
    kinds.insert(event.kind);
  for (const EventKind kind : {EventKind::kWorkerGone, EventKind::kWorkerRestarted, EventKind::kWorkerStalled,
                               EventKind::kWorkerStraggling, EventKind::kWorkerRecovered,
                               EventKind::kNonFinite, EventKind::kGraphSplit, EventKind::kGraphJoined,
                               EventKind::kEdgeDead, EventKind::kEdgeAlive, EventKind::kEpochChanged})
    EXPECT_TRUE(kinds.contains(kind)) << to_string(kind);
  EXPECT_GT(observer.snapshot().missed_ticks, 0u);
  for (const Finding& finding : observer.snapshot().findings)
    ADD_FAILURE() << finding.text;
}

TEST(Observer, GoesOnWhileTheDemoIsPaused) {
  Observer observer(make_demo_source(quiet(4)));
  Watched watched;
  watch(observer, 0.0, 10.0, watched);
  observer.playback()->pause();
  watch(observer, 10.1, 40.0, watched);
  EXPECT_EQ(observer.status().state, SourceState::kPaused);
  for (const Worker& worker : observer.snapshot().workers)
    EXPECT_EQ(worker.state, WorkerState::kRunning);  // its clock stands still, too
}

TEST(Observer, TakesALongJumpInBoundedSteps) {
  DemoOptions options = quiet(64);
  ObserverOptions limits;
  limits.most_frames = 1000;
  Observer observer(make_demo_source(options), limits);
  observer.poll(0.0);
  int polls = 0;
  bool more = true;
  for (; more && polls < 100; ++polls) {
    more = observer.poll(30.0).more;
    for (const Worker& worker : observer.snapshot().workers)
      ASSERT_NE(worker.state, WorkerState::kGone);  // nobody is silent because we are slow
  }
  EXPECT_GT(polls, 8);
  EXPECT_NEAR(observer.snapshot().time, options.start + 30.0, 0.5);
}

class ObserverRecording : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "duet-observer-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(ObserverRecording, AReplayShowsWhatTheLiveRunShowed) {
  const std::string file = (folder_ / "run").string();
  Watched live;
  std::vector<std::uint64_t> steps;
  double last = 0.0;
  {
    Observer observer(make_demo_source(quiet(6)));
    observer.start_recording(file);
    EXPECT_THROW(observer.start_recording(file), ConfigurationError);
    EXPECT_FALSE(observer.recording());
    observer.start_recording(file, true);
    watch(observer, 0.0, 30.0, live);
    ASSERT_TRUE(observer.recording());
    EXPECT_TRUE(observer.recording()->problem.empty());
    observer.stop_recording();
    for (const Worker& worker : observer.snapshot().workers)
      steps.push_back(worker.counters.steps);
    last = observer.snapshot().time;
  }
  Observer observer(make_replay_source(file));
  Watched replayed;
  watch(observer, 100.0, 131.0, replayed);
  EXPECT_EQ(observer.status().state, SourceState::kEnded);
  for (const Worker& worker : observer.snapshot().workers)
    EXPECT_EQ(worker.counters.steps, steps[static_cast<std::size_t>(worker.rank)]);
  EXPECT_EQ(replayed.samples, live.samples);
  EXPECT_EQ(replayed.meetings.size(), live.meetings.size());
  EXPECT_NEAR(observer.snapshot().time, last, 0.3);
  for (const Worker& worker : observer.snapshot().workers)
    EXPECT_EQ(worker.state, WorkerState::kRunning);  // at its end time stands still

  // Wound back, it begins anew, and has its history.
  observer.playback()->pause();
  observer.playback()->seek(observer.playback()->begin() + 10.0);
  const Update& update = observer.poll(132.0);
  EXPECT_TRUE(update.restarted);
  EXPECT_GT(update.worker_samples.size(), 6u * 45u);
  EXPECT_LT(observer.snapshot().worker(0)->counters.steps, steps[0]);
  EXPECT_EQ(observer.snapshot().generation, 1u);
}

TEST(Observer, AThousandWorkersInBoundedTime) {
  DemoOptions options = quiet(1024);
  options.graph = "exponential";
  Observer observer(make_demo_source(options));
  Watched watched;
  watch(observer, 0.0, 4.0, watched);
  EXPECT_EQ(observer.snapshot().workers.size(), 1024u);
  EXPECT_GT(watched.samples, 1024u * 15u);
  EXPECT_EQ(observer.snapshot().run.members, 1024);
}

}  // namespace
}  // namespace duet::observer
