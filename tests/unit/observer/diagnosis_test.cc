#include "duet/observer/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "duet/observer/snapshot.h"
#include "graph_parts.h"

namespace duet::observer {
namespace {

using testing::HasSubstr;

/// A healthy ring that makes one step and one meeting per worker and second.
Snapshot healthy(int workers) {
  Snapshot snapshot;
  snapshot.time = 1000.0;
  snapshot.median_steps_per_second = 1.0;
  for (int rank = 0; rank < workers; ++rank) {
    Worker worker;
    worker.rank = rank;
    worker.host = "node" + std::to_string(rank);
    worker.state = WorkerState::kRunning;
    worker.state_since = worker.running_since.emplace(100.0);
    worker.first_heard = 100.0;
    worker.last_heard = worker.last_step = 999.9;
    worker.steps_per_second = 1.0;
    worker.recent_steps_per_second = 1.0;
    snapshot.workers.push_back(worker);
  }
  for (int a = 0; a < workers; ++a) {
    Edge edge;
    edge.a = std::min(a, (a + 1) % workers);
    edge.b = std::max(a, (a + 1) % workers);
    edge.target_rate = 0.5;
    edge.target_per_second = 0.5;
    edge.since = 100.0;
    edge.last_meeting = 999.0;
    edge.recent_meetings = 30.0;
    edge.recent_seconds = 60.0;
    snapshot.edges.push_back(edge);
  }
  return snapshot;
}

Edge& edge(Snapshot& snapshot, int a, int b) {
  return const_cast<Edge&>(*snapshot.edge(a, b));
}

TEST(Diagnosis, AHealthyRunHasNoFindings) {
  EXPECT_TRUE(diagnose(healthy(8)).empty());
  EXPECT_TRUE(diagnose(healthy(3)).empty());
  EXPECT_TRUE(diagnose(Snapshot()).empty());
}

TEST(Diagnosis, NamesWhoIsGoneStalledSlowOrNotFinite) {
  Snapshot snapshot = healthy(8);
  snapshot.workers[2].state = WorkerState::kGone;
  snapshot.workers[2].last_heard = 990.0;
  snapshot.workers[4].state = WorkerState::kStalled;
  snapshot.workers[4].running_since.reset();
  snapshot.workers[4].last_step = 880.0;
  snapshot.workers[5].state = WorkerState::kStraggling;
  snapshot.workers[5].steps_per_second = 0.25;
  snapshot.workers[6].finite = false;
  const auto findings = diagnose(snapshot);
  ASSERT_EQ(findings.size(), 4u);
  EXPECT_EQ(findings[0].kind, FindingKind::kGoneWorker);
  EXPECT_EQ(findings[0].rank, 2);
  EXPECT_THAT(findings[0].text, HasSubstr("worker 2 (node2) has not been heard for 10 s"));
  EXPECT_EQ(findings[1].kind, FindingKind::kStalledWorker);
  EXPECT_THAT(findings[1].text, HasSubstr("worker 4 (node4) has made no step for 2 min"));
  EXPECT_EQ(findings[2].kind, FindingKind::kNonFinite);
  EXPECT_EQ(findings[2].rank, 6);
  EXPECT_EQ(findings[3].kind, FindingKind::kStraggler);
  EXPECT_EQ(findings[3].severity, Severity::kWarning);
  EXPECT_THAT(findings[3].text, HasSubstr("0.25 steps/s, the median is 1"));
  for (const Finding& finding : findings)
    EXPECT_FALSE(finding.advice.empty());
}

TEST(Diagnosis, AnEdgeIsDeadWhenBothStepAndDoNotMeet) {
  Snapshot snapshot = healthy(8);
  edge(snapshot, 2, 3).last_meeting = 970.0;  // 15 meetings are missing
  auto findings = diagnose(snapshot);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadEdge);
  EXPECT_EQ(findings[0].rank, 2);
  EXPECT_EQ(findings[0].peer, 3);
  EXPECT_DOUBLE_EQ(findings[0].since, 970.0);
  // Nothing is missing where one of them does not step …
  snapshot.workers[3].state = WorkerState::kStalled;
  findings = diagnose(snapshot);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kStalledWorker);
  // … or has just begun to again.
  snapshot.workers[3].state = WorkerState::kRunning;
  snapshot.workers[3].running_since = 990.0;
  EXPECT_TRUE(diagnose(snapshot).empty());
  // A rare edge has more time.
  snapshot.workers[3].running_since = 100.0;
  edge(snapshot, 2, 3).target_per_second = 0.1;
  EXPECT_TRUE(diagnose(snapshot).empty());
  // Neither is it one that is in the graph no more.
  edge(snapshot, 2, 3).target_per_second = 0.5;
  edge(snapshot, 2, 3).in_graph = false;
  for (const Finding& finding : diagnose(snapshot))
    EXPECT_NE(finding.kind, FindingKind::kDeadEdge);
}

TEST(Diagnosis, AnEdgeThatWasNeverUsedIsDeadSinceItWasThere) {
  Snapshot snapshot = healthy(8);
  edge(snapshot, 0, 7).last_meeting.reset();
  edge(snapshot, 0, 7).since = 950.0;
  const auto findings = diagnose(snapshot);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].peer, 7);
  EXPECT_DOUBLE_EQ(findings[0].since, 950.0);
}

TEST(Diagnosis, ASplitGraphNamesTheSmallerPart) {
  Snapshot snapshot = healthy(8);
  edge(snapshot, 4, 5).last_meeting = 900.0;
  EXPECT_EQ(live_parts(snapshot, {}).size(), 1u);  // a ring with one gap hangs together
  edge(snapshot, 0, 7).last_meeting = 900.0;
  const auto parts = live_parts(snapshot, {});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0], (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(parts[1], (std::vector<int>{5, 6, 7}));
  const auto findings = diagnose(snapshot);
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_EQ(findings[0].kind, FindingKind::kSplitGraph);
  EXPECT_EQ(findings[0].rank, 5);
  EXPECT_EQ(findings[0].text, "workers 5, 6 and 7 do not reach the other 5 any more");
}

TEST(Diagnosis, WhoIsGoneSplitsTheGraphUntilItIsRepaired) {
  Snapshot snapshot = healthy(4);
  for (const int rank : {1, 3}) {
    snapshot.workers[static_cast<std::size_t>(rank)].state = WorkerState::kGone;
    snapshot.workers[static_cast<std::size_t>(rank)].running_since.reset();
  }
  EXPECT_EQ(live_parts(snapshot, {}).size(), 2u);
  Edge repaired = edge(snapshot, 0, 1);
  repaired.a = 0;
  repaired.b = 2;
  snapshot.edges.push_back(repaired);
  EXPECT_EQ(live_parts(snapshot, {}).size(), 1u);
}

TEST(Diagnosis, WhoIsOnlyExpectedTearsNothingApart) {
  Snapshot snapshot = healthy(6);
  for (const std::size_t rank : {1u, 3u, 4u})
    snapshot.workers[rank].state = WorkerState::kExpected;
  EXPECT_EQ(live_parts(snapshot, {}), (std::vector<std::vector<int>>{{0, 2, 5}}));
}

TEST(Diagnosis, LopsidedPairingNamesWorkerAndNeighbour) {
  Snapshot snapshot = healthy(8);
  edge(snapshot, 2, 3).recent_meetings = 55.0;
  edge(snapshot, 1, 2).recent_meetings = 5.0;
  const auto findings = diagnose(snapshot);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kLopsidedPairing);
  EXPECT_EQ(findings[0].rank, 2);
  EXPECT_EQ(findings[0].peer, 3);
  EXPECT_THAT(findings[0].text, HasSubstr("92 % of its meetings with worker 3, due are 50 %"));
}

TEST(Diagnosis, FewMeetingsSayNothingAboutSides) {
  Snapshot snapshot = healthy(8);
  for (Edge& each : snapshot.edges) {
    each.recent_meetings = 6.0;
    each.recent_seconds = 12.0;
  }
  edge(snapshot, 2, 3).recent_meetings = 12.0;
  edge(snapshot, 1, 2).recent_meetings = 0.0;
  EXPECT_TRUE(diagnose(snapshot).empty());
}

TEST(Diagnosis, SlowPairingIsJudgedByTheLiveNeighbours) {
  Snapshot snapshot = healthy(8);
  edge(snapshot, 1, 2).recent_meetings = 10.0;
  edge(snapshot, 2, 3).recent_meetings = 10.0;
  const auto findings = diagnose(snapshot);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].kind, FindingKind::kSlowPairing);
  EXPECT_EQ(findings[0].rank, 2);
}

TEST(Diagnosis, WorstFirstAndTheSameEveryTime) {
  Snapshot snapshot = healthy(16);
  for (std::size_t rank = 0; rank < 16; ++rank) {
    if (rank % 3 == 0) snapshot.workers[rank].state = WorkerState::kStraggling;
    if (rank % 5 == 1) snapshot.workers[rank].finite = false;
  }
  const auto findings = diagnose(snapshot);
  for (std::size_t i = 1; i < findings.size(); ++i)
    EXPECT_GE(findings[i - 1].severity, findings[i].severity);
  const auto again = diagnose(snapshot);
  ASSERT_EQ(again.size(), findings.size());
  for (std::size_t i = 0; i < findings.size(); ++i)
    EXPECT_EQ(again[i].text, findings[i].text);
}

}  // namespace
}  // namespace duet::observer
