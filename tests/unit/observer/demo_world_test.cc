#include "demo_world.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "duet/error.h"

namespace duet::observer {
namespace {

DemoOptions quiet(int workers) {
  DemoOptions options;
  options.workers = workers;
  options.standard_troubles = false;
  return options;
}

TEST(DemoWorld, WorkersStepMeetAndAgree) {
  DemoWorld world(quiet(8));
  world.advance(60.0);
  for (int rank = 0; rank < 8; ++rank) {
    const auto& worker = world.worker(rank);
    EXPECT_NEAR(static_cast<double>(worker.steps), 300.0, 60.0);
    EXPECT_NEAR(static_cast<double>(worker.pairings), static_cast<double>(worker.steps),
                0.35 * static_cast<double>(worker.steps));
    EXPECT_LT(worker.loss, 1.0);
    ASSERT_TRUE(worker.tick);
    EXPECT_EQ(worker.tick->members, 8);
    EXPECT_DOUBLE_EQ(worker.tick->time, 60.0);
    EXPECT_GT(worker.tick->consensus, 0.0);
    EXPECT_LT(worker.tick->consensus, 3.0);
  }
}

TEST(DemoWorld, IsTheSameForTheSameSeedHoweverItIsDriven) {
  DemoOptions options = quiet(6);
  options.standard_troubles = true;
  DemoWorld one(options), other(options);
  one.advance(100.0);
  for (double now = 0.0; now < 100.0; now += 0.37)
    other.advance(now);
  other.advance(100.0);
  for (int rank = 0; rank < 6; ++rank) {
    EXPECT_EQ(one.worker(rank).steps, other.worker(rank).steps);
    EXPECT_EQ(one.worker(rank).pairings, other.worker(rank).pairings);
    EXPECT_EQ(one.worker(rank).incarnation, other.worker(rank).incarnation);
  }
}

TEST(DemoWorld, AWorkerDiesAndReturnsUnderANewIncarnation) {
  DemoOptions options = quiet(6);
  options.troubles = {{10.0, 20.0, Trouble::kDies, 2, -1}};
  DemoWorld world(options);
  world.advance(9.0);
  const Incarnation before = world.worker(2).incarnation;
  world.advance(11.0);
  EXPECT_FALSE(world.worker(2).alive);
  EXPECT_EQ(world.members(), 5);
  const auto tick = world.worker(1).tick->tick;
  world.advance(12.5);
  EXPECT_EQ(world.worker(1).tick->tick, tick);  // the tree is broken: no value, not a wrong one
  world.advance(20.0);
  EXPECT_EQ(world.worker(1).tick->members, 5);
  EXPECT_EQ(world.epoch(), 2u);
  world.advance(40.0);
  EXPECT_TRUE(world.worker(2).alive);
  EXPECT_NE(world.worker(2).incarnation, before);
  EXPECT_LT(world.worker(2).steps, 60u);
  EXPECT_GT(world.worker(2).pairings, 0u);
  EXPECT_EQ(world.epoch(), 3u);
}

TEST(DemoWorld, TroublesDoWhatTheySay) {
  DemoOptions options = quiet(8);
  options.troubles = {{10.0, 20.0, Trouble::kStalls, 1, -1},
                      {10.0, 20.0, Trouble::kStraggles, 3, -1},
                      {10.0, 20.0, Trouble::kDeadEdge, 5, 6},
                      {10.0, 20.0, Trouble::kNonFinite, 7, -1}};
  DemoWorld world(options);
  world.advance(12.0);
  const auto stalled = world.worker(1).steps;
  const auto slow = world.worker(3).steps;
  const auto edge = world.worker(5).peers[1].pairings;
  world.advance(29.0);
  EXPECT_EQ(world.worker(1).steps, stalled);
  EXPECT_LT(world.worker(3).steps - slow, 35u);
  EXPECT_EQ(world.worker(5).peers[1].rank, 6);
  EXPECT_EQ(world.worker(5).peers[1].pairings, edge);
  EXPECT_FALSE(std::isfinite(world.worker(7).tick->distance));
  EXPECT_GT(world.worker(7).rejected, 0u);
  for (int rank = 0; rank < 7; ++rank)  // nothing spreads
    EXPECT_TRUE(std::isfinite(world.worker(rank).loss)) << rank;
  world.advance(50.0);
  EXPECT_GT(world.worker(1).steps, stalled + 50);
  EXPECT_GT(world.worker(5).peers[1].pairings, edge);
  EXPECT_TRUE(std::isfinite(world.worker(7).tick->consensus));
}

TEST(DemoWorld, APartitionHasADistanceForEachPart) {
  DemoOptions options = quiet(8);
  options.troubles = {{10.0, 40.0, Trouble::kPartition, 5, -1}};
  DemoWorld world(options);
  world.advance(45.0);
  EXPECT_EQ(world.worker(0).tick->members, 5);
  EXPECT_EQ(world.worker(6).tick->members, 3);
  world.advance(60.0);
  EXPECT_EQ(world.worker(6).tick->members, 8);
}

TEST(DemoWorld, StandardTroublesComeAgainAndAgain) {
  DemoOptions options;
  const DemoTroubles troubles(options, {{0, 1}, {1, 2}});
  const auto all = troubles.between(0.0, 480.0);
  EXPECT_EQ(all.size(), 12u);
  std::size_t pieces = 0;
  for (double at = 0.0; at < 480.0; at += 7.0)
    pieces += troubles.between(at, std::min(480.0, at + 7.0)).size();
  EXPECT_EQ(pieces, all.size());
}

TEST(DemoWorld, AnyNumberOfWorkersUpTo1024) {
  for (const int workers : {1, 2, 3, 4, 5, 64}) {
    DemoOptions options;
    options.workers = workers;
    DemoWorld world(options);
    world.advance(260.0);
    EXPECT_GT(world.worker(workers - 1).steps, 0u);
  }
  DemoOptions many;
  many.workers = 1024;
  const auto start = std::chrono::steady_clock::now();
  DemoWorld world(many);
  world.advance(10.0);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(world.worker(5).tick->members, 1024);
  RecordProperty("seconds_for_10", std::to_string(took.count()));
}

TEST(DemoWorld, RefusesOptionsThatMakeNoRun) {
  for (const int workers : {0, -1, 1025})
    EXPECT_THROW(DemoWorld(quiet(workers)), ConfigurationError);
  DemoOptions options = quiet(6);
  options.graph = "hypercube";
  EXPECT_THROW(DemoWorld{options}, ConfigurationError);
  options = quiet(6);
  options.algorithm = "magic";
  EXPECT_THROW(DemoWorld{options}, ConfigurationError);
  options = quiet(6);
  options.steps_per_second = 0.0;
  EXPECT_THROW(DemoWorld{options}, ConfigurationError);
  options = quiet(6);
  options.troubles = {{1.0, 1.0, Trouble::kDies, 6, -1}};
  EXPECT_THROW(DemoWorld{options}, ConfigurationError);
}

}  // namespace
}  // namespace duet::observer
