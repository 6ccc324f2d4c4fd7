#include "evaluation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

namespace {

using Edge = std::pair<int, int>;

MeetingLog log_of(std::vector<LogEntry> entries) {
  return {std::move(entries)};
}

// Two workers at −1 and 1 that meet in the middle: squared consensus distance 1, then 0.5, then 0.
TEST(GossipEvaluation, CountsUntilTheLastOfBothEndsIsIn) {
  const std::vector<MeetingLog> logs = {log_of({{0.0, -1, {-1.0F}}, {5.0, 1, {0.0F}}}),
                                        log_of({{0.0, -1, {1.0F}}, {7.0, 0, {0.0F}}})};
  const GossipResult result = evaluate(logs, 1e6);
  ASSERT_TRUE(result.meetings_per_worker.has_value());
  EXPECT_DOUBLE_EQ(*result.meetings_per_worker, 1.0);
  EXPECT_DOUBLE_EQ(*result.seconds, 2.0);
  EXPECT_DOUBLE_EQ(result.start_distance, 1.0);
  EXPECT_DOUBLE_EQ(result.end_distance, 0.0);
  ASSERT_EQ(result.edges.size(), 1u);
  EXPECT_EQ(result.edges.at(Edge(0, 1)), 1u);
}

TEST(GossipEvaluation, StopsCountingAtTheGoal) {
  // One end alone takes the squared distance from 1 to 0.25: enough for a reduction by 4, half a meeting
  // each.
  const std::vector<MeetingLog> logs = {log_of({{0.0, -1, {-1.0F}}, {1.0, 1, {0.0F}}, {3.0, 1, {0.5F}}}),
                                        log_of({{0.0, -1, {1.0F}}, {2.0, 0, {0.0F}}, {4.0, 0, {0.5F}}})};
  const GossipResult result = evaluate(logs, 4.0);
  ASSERT_TRUE(result.meetings_per_worker.has_value());
  EXPECT_DOUBLE_EQ(*result.meetings_per_worker, 0.5);
  EXPECT_DOUBLE_EQ(*result.seconds, 0.0);
  EXPECT_DOUBLE_EQ(result.end_distance, 0.5);
  // The meeting whose second end is not in yet counts.
  EXPECT_EQ(result.edges.at(Edge(0, 1)), 1u);
}

TEST(GossipEvaluation, SaysNeverWhereTheGoalIsNotReached) {
  const std::vector<MeetingLog> logs = {log_of({{0.0, -1, {-1.0F}}, {1.0, 1, {-0.1F}}}),
                                        log_of({{0.0, -1, {1.0F}}, {1.5, 0, {0.1F}}}),
                                        log_of({{0.0, -1, {4.0F}}})};
  const GossipResult result = evaluate(logs, 1e6);
  EXPECT_FALSE(result.meetings_per_worker.has_value());
  EXPECT_FALSE(result.seconds.has_value());
  // Positions −0.1, 0.1 and 4 at the end.
  EXPECT_NEAR(result.end_distance, std::sqrt((0.01 + 0.01 + 16.0) / 3.0 - std::pow(4.0 / 3.0, 2)), 1e-6);
  EXPECT_EQ(result.edges.at(Edge(0, 1)), 1u);
}

// Whatever the order within one log file, what counts is the clock.
TEST(GossipEvaluation, TakesMeetingsOfAllWorkersInTheOrderOfTheClock) {
  // Worker 2 meets 1 first (both at 3), then 1 meets 0: only after that is everyone at the mean of the pair.
  const std::vector<MeetingLog> logs = {
      log_of({{0.0, -1, {0.0F}}, {20.0, 1, {2.0F}}}),
      log_of({{0.0, -1, {2.0F}}, {10.0, 2, {2.0F}}, {20.5, 0, {2.0F}}}),
      log_of({{0.0, -1, {4.0F}}, {10.5, 1, {2.0F}}}),
  };
  const GossipResult result = evaluate(logs, 1e6);
  ASSERT_TRUE(result.meetings_per_worker.has_value());
  // Ends at 10, 10.5 and 20: then all are at 2.
  EXPECT_DOUBLE_EQ(*result.meetings_per_worker, 1.0);
  EXPECT_DOUBLE_EQ(*result.seconds, 10.0);
  EXPECT_EQ(result.edges.at(Edge(1, 2)), 1u);
  EXPECT_EQ(result.edges.at(Edge(0, 1)), 1u);
}

TEST(GossipEvaluation, CountsEachMeetingOfAnEdgeOnce) {
  std::vector<LogEntry> first = {{0.0, -1, {1.0F}}};
  std::vector<LogEntry> second = {{0.0, -1, {-1.0F}}};
  for (int k = 0; k < 7; ++k) {
    first.push_back({1.0 + k, 1, {1.0F}});
    second.push_back({1.1 + k, 0, {-1.0F}});
  }
  const GossipResult result = evaluate({log_of(first), log_of(second)}, 2.0);
  EXPECT_FALSE(result.meetings_per_worker.has_value());
  EXPECT_EQ(result.edges.at(Edge(0, 1)), 7u);
}

TEST(GossipEvaluation, RefusesAnEmptyLog) {
  EXPECT_THROW(evaluate({log_of({{0.0, -1, {1.0F}}}), log_of({})}, 10.0), std::runtime_error);
}

}  // namespace
