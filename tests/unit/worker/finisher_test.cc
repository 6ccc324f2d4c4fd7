#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "duet/error.h"
#include "unit/worker/tree_bench.h"

namespace duet::worker {
namespace {

using membership::Phase;
using test::Bench;
using test::bench_options;
using ::testing::ElementsAre;

std::set<int> writers(const std::vector<FinishResult>& results) {
  std::set<int> found;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].lowest) found.insert(static_cast<int>(i));
  }
  return found;
}

TEST(Finisher, AveragesAndAgreesOnWhoReports) {
  Bench bench(bench_options(4), 50, true);
  for (int rank = 0; rank < 4; ++rank)
    bench.finish(rank);
  ASSERT_TRUE(bench.run(10.0, [&] {
    for (int rank = 0; rank < 4; ++rank) {
      if (!bench.concluded(rank)) return false;
    }
    return true;
  }));
  std::vector<FinishResult> results;
  for (int rank = 0; rank < 4; ++rank) {
    results.push_back(bench[rank].result.get());
    EXPECT_THAT(results.back().members, ElementsAre(0, 1, 2, 3));
    EXPECT_TRUE(results.back().lost.empty());
    EXPECT_EQ(results.back().exit_code, 0);
    EXPECT_EQ(bench[rank].x, bench[0].x);
  }
  EXPECT_EQ(writers(results), std::set<int>{0});
}

/// mean of ‖p_i − p̄‖² with p = x + d, in float64 beside the run, where the mean of z is far from 0.
TEST(Finisher, ReportsTheConsensusDistanceOfThePositions) {
  constexpr int kMembers = 5;
  constexpr std::size_t kElements = 50;
  Bench bench(bench_options(kMembers), kElements, true);
  std::vector<std::vector<double>> position(kMembers);
  std::vector<double> mean(kElements), result(kElements);
  for (int rank = 0; rank < kMembers; ++rank) {
    const auto& replica = *bench[rank].replica;
    for (std::size_t k = 0; k < replica.block_count(); ++k) {
      const auto& block = replica.block(k);
      for (std::size_t i = 0; i < block.count; ++i) {
        block.d[i] = 0.25F * static_cast<float>(rank) - 0.03F * static_cast<float>(i);
        block.z[i] = 10.0F + static_cast<float>(rank * rank);
        const double p = double{block.floats()[i]} + double{block.d[i]};
        position[static_cast<std::size_t>(rank)].push_back(p);
        mean[block.offset + i] += p / kMembers;
        result[block.offset + i] += (p + 0.5 * double{block.z[i]}) / kMembers;
      }
    }
  }
  for (int rank = 0; rank < kMembers; ++rank)
    bench.finish(rank);
  ASSERT_TRUE(bench.run(10.0, [&] { return bench.concluded(0) && bench.concluded(4); }));
  double expected = 0.0;
  std::vector<double> own;
  for (const auto& mine : position) {
    double squared = 0.0;
    for (std::size_t i = 0; i < kElements; ++i)
      squared += std::pow(mine[i] - mean[i], 2);
    own.push_back(std::sqrt(squared));
    expected += squared / kMembers;
  }
  expected = std::sqrt(expected);
  for (int rank = 0; rank < kMembers; ++rank) {
    ASSERT_TRUE(bench.concluded(rank));
    const auto found = bench[rank].result.get();
    EXPECT_NEAR(found.consensus_distance, expected, 1e-5 * expected);
    EXPECT_NEAR(found.distance_to_mean, own[static_cast<std::size_t>(rank)], 1e-5 * expected);
    for (std::size_t i = 0; i < kElements; ++i)
      EXPECT_NEAR(bench[rank].x[i], result[i], 1e-5);
  }
}

/// A and B are ready early, M much later, S not at all: when A and B lose patience, M must not wait on for S.
TEST(Finisher, WhoHasFinishedJoinsThoseWhoLostPatience) {
  Bench bench(bench_options(4));
  bench.finish(0);
  bench.finish(1);
  bench.run(
      40.0, [] { return false; }, 1.0);
  bench.finish(2);
  ASSERT_TRUE(bench.run(
      30.0, [&] { return bench.view(2).of(2).phase >= Phase::kAveraged; }, 0.5));
  EXPECT_LT(bench.now, 1000.0 + 62.0) << "not when its own patience ended";
  bench.run(
      100.0, [&] { return bench.concluded(0) && bench.concluded(1) && bench.concluded(2); }, 1.0);
  std::vector<FinishResult> results;
  for (int rank = 0; rank < 3; ++rank) {
    ASSERT_TRUE(bench.concluded(rank));
    results.push_back(bench[rank].result.get());
    EXPECT_THAT(results.back().members, ElementsAre(0, 1, 2));
    EXPECT_THAT(results.back().lost, ElementsAre(3));
    EXPECT_EQ(bench[rank].x, bench[0].x);
  }
  // The straggler comes when all is over: its own model, and no report beside the others'.
  bench.finish(3);
  ASSERT_TRUE(bench.run(
      200.0, [&] { return bench.concluded(3); }, 1.0));
  results.push_back(bench[3].result.get());
  EXPECT_THAT(results[3].members, ElementsAre(3));
  EXPECT_EQ(results[3].exit_code, 3);
  EXPECT_EQ(writers(results), std::set<int>{0});
}

/// The lowest rank is the straggler: those who ended before it came have a report already.
TEST(Finisher, ALateLowestRankWritesNoSecondReport) {
  Bench bench(bench_options(3));
  bench.finish(1);
  bench.finish(2);
  ASSERT_TRUE(bench.run(
      300.0, [&] { return bench.concluded(1) && bench.concluded(2); }, 1.0));
  bench.finish(0);
  ASSERT_TRUE(bench.run(
      200.0, [&] { return bench.concluded(0); }, 1.0));
  std::vector<FinishResult> results;
  for (int rank = 0; rank < 3; ++rank)
    results.push_back(bench[rank].result.get());
  EXPECT_EQ(writers(results), std::set<int>{1});
  EXPECT_THAT(results[0].members, ElementsAre(0));
  EXPECT_THAT(results[1].members, ElementsAre(1, 2));
}

/// It comes while they still wait: it gets their average, which does not count it.
TEST(Finisher, AStragglerGetsTheAverageOfTheOthers) {
  Bench bench(bench_options(3));
  bench.finish(1);
  bench.finish(2);
  ASSERT_TRUE(bench.run(
      70.0,
      [&] {
        return bench.view(0).of(1).phase == Phase::kAveraged && bench.view(0).of(2).phase == Phase::kAveraged;
      },
      1.0));
  bench.finish(0);
  ASSERT_TRUE(
      bench.run(20.0, [&] { return bench.concluded(0) && bench.concluded(1) && bench.concluded(2); }));
  std::vector<FinishResult> results;
  for (int rank = 0; rank < 3; ++rank) {
    results.push_back(bench[rank].result.get());
    EXPECT_THAT(results.back().members, ElementsAre(1, 2)) << "rank " << rank;
    EXPECT_THAT(results.back().lost, ElementsAre(0)) << "rank " << rank;
    EXPECT_EQ(bench[rank].x, bench[1].x);
    EXPECT_NEAR(results.back().consensus_distance, results[0].consensus_distance, 1e-9);
  }
  EXPECT_EQ(writers(results), std::set<int>{1});
}

/// Whose data connections do not work gives up in the end, and is from then on nobody's participant.
TEST(Finisher, WhoGivesUpIsNotWaitedForAndNotCounted) {
  Bench bench(bench_options(3));
  bench[2].options.average_timeout = 3.0;
  for (int rank = 0; rank < 3; ++rank)
    bench.finish(rank);
  // Rank 2's letters arrive, and its data never do.
  transport::Context nobody(transport::load_transport("inproc", {}), {});
  for (int rank = 0; rank < 3; ++rank) {
    for (auto& entry : bench[rank].roster.entries) {
      if (rank == 2 || entry.rank == 2) entry.transports = {{"inproc", nobody.address()}};
    }
  }
  ASSERT_TRUE(bench.run(
      200.0, [&] { return bench.concluded(0) && bench.concluded(1) && bench.concluded(2); }, 0.5));
  std::vector<FinishResult> results;
  for (int rank = 0; rank < 3; ++rank)
    results.push_back(bench[rank].result.get());
  EXPECT_THAT(results[2].members, ElementsAre(2));
  EXPECT_EQ(results[2].consensus_distance, 0.0);
  EXPECT_FALSE(results[2].lowest);
  for (const int rank : {0, 1}) {
    const auto& result = results[static_cast<std::size_t>(rank)];
    EXPECT_THAT(result.members, ElementsAre(0, 1));
    EXPECT_THAT(result.lost, ElementsAre(2));
    // Half the distance of the two, and nothing of the third's, which is at a distance of 0 to itself.
    EXPECT_NEAR(result.consensus_distance, 0.5 * std::sqrt(50.0), 1e-5);
  }
  EXPECT_EQ(writers(results), std::set<int>{0}) << "one report, whatever the others came to";
}

/// Given up by the others (it was silent for too long): nobody will answer, so there is nobody to wait for.
TEST(Finisher, WhoWasDeclaredGoneDoesNotWait) {
  for (const bool while_others_average : {false, true}) {
    SCOPED_TRACE(while_others_average ? "has its average" : "others train");
    Bench bench(bench_options(3));
    if (while_others_average) {
      bench.finish(0);
      bench.finish(1);
      ASSERT_TRUE(bench.run(
          70.0, [&] { return bench.view(0).of(0).phase == Phase::kAveraged; }, 1.0));
    } else {
      bench.finish(0);
      bench.run(1.0);
    }
    auto told = bench.view(1).states();
    told[0].phase = Phase::kGone;
    bench[0].liveness->on_heartbeat(bench.now, 1, {told});
    bench.hears = [](int, int to) { return to != 0; };
    const double before = bench.now;
    ASSERT_TRUE(bench.run(5.0, [&] { return bench.concluded(0); }));
    EXPECT_LT(bench.now - before, 1.0);
    const auto result = bench[0].result.get();
    EXPECT_FALSE(result.lowest);
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.members, while_others_average ? (std::vector<int>{0, 1}) : std::vector<int>{0});
  }
}

/// D finishes and dies while A, B and C average: those who are left are whom they were before, and their
/// connections must be others. (The bench counts sessions that are used twice.)
TEST(Finisher, AJoinerThatDiesLeavesNoOldConnectionsBehind) {
  Bench bench(bench_options(4));
  for (const int rank : {0, 1, 2})
    bench.finish(rank);
  bench.run(
      58.0, [] { return false; }, 1.0);
  bench[2].busy = true;  // so that the pass stays open
  bench.run(4.0);
  ASSERT_EQ(bench.view(0).of(0).phase, Phase::kAveraging);
  bench.finish(3);
  bench.run(1.0);
  bench[3].die();
  ASSERT_TRUE(bench.run(8.0, [&] { return bench.view(0).of(3).phase == Phase::kGone; }));
  bench[2].busy = false;
  ASSERT_TRUE(
      bench.run(30.0, [&] { return bench.concluded(0) && bench.concluded(1) && bench.concluded(2); }));
  for (const int rank : {0, 1, 2}) {
    EXPECT_THAT(bench[rank].result.get().members, ElementsAre(0, 1, 2));
    EXPECT_EQ(bench[rank].x, bench[0].x);
  }
}

/// One that has the average dies: until its silence is noticed it refuses whoever tries again, and nobody may
/// spend that time on attempts.
TEST(Finisher, DoesNotHammerAHolderOfTheResultThatDied) {
  Bench bench(bench_options(3));
  for (int rank = 0; rank < 3; ++rank)
    bench.finish(rank);
  // Rank 2 misses the average of the others: it has heard that rank 0 has it when rank 0 dies.
  bench.beat();
  for (int rank = 0; rank < 3; ++rank)
    bench.turn(rank);
  ASSERT_EQ(bench.view(2).of(2).phase, Phase::kAveraging);
  auto told = bench.view(0).states();
  told[0].phase = Phase::kAveraged;
  bench[2].liveness->on_heartbeat(bench.now, 0, {told});
  bench[0].die();
  bench.run(4.0);
  EXPECT_LE(bench.view(2).of(2).attempt, 25U);
  EXPECT_GE(bench.view(2).of(2).attempt, 1U);
}

/// All of the result has arrived, and then the news that the root is dead: the average that it took part in
/// stands.
TEST(Finisher, ACompletePassIsNotThrownAwayForADeath) {
  int moments = 0;
  for (int turns = 1; turns < 12; ++turns) {
    SCOPED_TRACE(std::to_string(turns) + " turns");
    Bench bench(bench_options(2), 8);
    bench.finish(0);
    bench.finish(1);
    bench.beat();
    for (int i = 0; i < turns; ++i) {
      bench.turn(0);
      bench.turn(1);
    }
    bench[1].busy = true;
    for (int i = 0; i < 20; ++i)
      bench.turn(0);
    if (bench.view(0).of(0).phase != Phase::kAveraged || bench.view(1).of(1).phase == Phase::kAveraged)
      continue;
    ++moments;
    // Silence; its connection stays.
    for (int i = 0; i < 30; ++i) {
      bench.now += 0.5;
      bench.turn(1);
    }
    ASSERT_EQ(bench.view(1).of(0).phase, Phase::kGone);
    bench[1].busy = false;
    bench[0].alive = false;
    ASSERT_TRUE(bench.run(1.0, [&] { return bench.concluded(1); }));
    const auto result = bench[1].result.get();
    EXPECT_THAT(result.members, ElementsAre(0, 1));
    EXPECT_THAT(result.lost, ElementsAre(0));
    EXPECT_TRUE(result.lowest) << "the only one who can report";
    EXPECT_EQ(bench[1].x, bench[0].x);
  }
  EXPECT_GT(moments, 0);
}

/// A promise that waits is kept, or broken with a reason.
TEST(Finisher, TellsWhyWhenTheThreadEnds) {
  Bench bench(bench_options(2));
  bench.finish(0);
  bench.run(0.5);
  ASSERT_TRUE(bench[0].finisher->active());
  bench[0].finisher->fail("the network is on fire");
  ASSERT_TRUE(bench.concluded(0));
  try {
    bench[0].result.get();
    FAIL();
  } catch (const TransportError& error) {
    EXPECT_STREQ(error.what(), "the network is on fire");
  }
}

}  // namespace
}  // namespace duet::worker
