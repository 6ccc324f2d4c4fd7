#include "exchange/tree_pass.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "exchange/pass_memory.h"
#include "unit/exchange/forest.h"

namespace duet::exchange {
namespace {

using test::expect_near;
using test::Forest;
using test::kTimeout;
using test::make_tree;
using test::positions;
using test::Snapshot;
using test::Worker;
using ::testing::HasSubstr;

struct Case {
  const char* shape;
  int size;
};

void PrintTo(const Case& value, std::ostream* out) {
  *out << value.shape << " of " << value.size;
}

class TreePassOn : public ::testing::TestWithParam<Case> {};

TEST_P(TreePassOn, AveragesExactlyAndAlikeEverywhere) {
  Forest forest(make_tree(GetParam().shape, GetParam().size), 1000, 64);
  const auto expected = forest.mean_of_the_living();
  const auto passes = forest.passes(TreeOperation::kAverage, 1);
  ASSERT_TRUE(forest.run(passes));
  const auto result = positions(*forest.workers[0]);
  expect_near(result, expected);
  for (std::size_t i = 0; i < forest.size(); ++i) {
    ASSERT_TRUE(passes[i]->complete()) << passes[i]->error();
    EXPECT_EQ(passes[i]->members(), GetParam().size);
    EXPECT_EQ(positions(*forest.workers[i]), result) << "to the bit";
    EXPECT_TRUE(passes[i]->counted().empty()) << "a step pays for nothing that only the end needs";
    EXPECT_EQ(passes[i]->squared_distance(), 0.0);
  }
}

/// The final consensus distance is about the positions x + d and their own mean. The result, the mean of x +
/// d + ½z, is another point as soon as the mean of z is not 0, and by far another one here.
TEST_P(TreePassOn, MeasuresEveryonesDistanceToTheMeanOfThePositions) {
  for (const bool momentum : {true, false}) {
    SCOPED_TRACE(momentum ? "with momentum" : "without");
    Forest forest(make_tree(GetParam().shape, GetParam().size), 1000, 64, momentum);
    for (const auto& worker : forest.workers) {
      for (std::size_t k = 0; momentum && k < worker->replica->block_count(); ++k) {
        const Block& block = worker->replica->block(k);
        for (std::size_t i = 0; i < block.count; ++i)
          block.z[i] += 3.0F;
      }
    }
    const auto result = forest.mean_of_the_living();
    const auto mean = forest.mean_position();
    std::vector<double> distances;
    double of_the_run = 0.0;
    for (const auto& worker : forest.workers) {
      double sum = 0;
      std::size_t k = 0;
      worker->each([&](float x, float d, float) { sum += std::pow(double{x} + double{d} - mean[k++], 2); });
      distances.push_back(sum);
      of_the_run += sum / GetParam().size;
    }
    const auto passes = forest.passes(TreeOperation::kFinalAverage, 1);
    ASSERT_TRUE(forest.run(passes));
    double measured = 0.0;
    std::vector<int> everyone(forest.size());
    std::iota(everyone.begin(), everyone.end(), 0);
    for (std::size_t i = 0; i < forest.size(); ++i) {
      ASSERT_TRUE(passes[i]->complete()) << passes[i]->error();
      EXPECT_EQ(passes[i]->counted(), everyone);
      EXPECT_NEAR(passes[i]->squared_distance(), distances[i], 1e-5 * distances[i] + 1e-6);
      measured += passes[i]->squared_distance() / GetParam().size;
      expect_near(positions(*forest.workers[i]), result);
      EXPECT_EQ(positions(*forest.workers[i]), positions(*forest.workers[0]));
    }
    EXPECT_NEAR(measured, of_the_run, 1e-5 * of_the_run + 1e-6);
  }
}

TEST_P(TreePassOn, BroadcastsTheRootsParameters) {
  Forest forest(make_tree(GetParam().shape, GetParam().size), 1000, 64);
  const auto roots = test::snapshots(*forest.workers[0]->replica);
  const auto passes = forest.passes(TreeOperation::kBroadcast, 1);
  ASSERT_TRUE(forest.run(passes));
  for (std::size_t i = 0; i < forest.size(); ++i) {
    ASSERT_TRUE(passes[i]->complete()) << passes[i]->error();
    positions(*forest.workers[i]);
    const auto mine = test::snapshots(*forest.workers[i]->replica);
    for (std::size_t k = 0; k < mine.size(); ++k)
      EXPECT_EQ(mine[k].x, roots[k].x);
  }
}

TEST_P(TreePassOn, LeavesTheConnectionsInStepForTheNext) {
  Forest forest(make_tree(GetParam().shape, GetParam().size), 90, 16, false);
  std::uint64_t attempt = 0;
  {
    const auto start = forest.passes(TreeOperation::kBroadcast, ++attempt);
    ASSERT_TRUE(forest.run(start));
  }
  // As a synchronous algorithm does: every worker moves by its own step, then all average.
  std::vector<double> expected;
  for (const float value : positions(*forest.workers[0]))
    expected.push_back(value);
  for (int step = 0; step < 50; ++step) {
    for (std::size_t i = 0; i < forest.size(); ++i) {
      for (auto& buffer : forest.workers[i]->parameters) {
        for (float& value : buffer)
          value += 0.25F * static_cast<float>(i);
      }
    }
    for (double& value : expected)
      value += 0.25 * (static_cast<double>(forest.size()) - 1) / 2;
    const auto passes = forest.passes(TreeOperation::kAverage, ++attempt);
    ASSERT_TRUE(forest.run(passes));
    for (const auto& pass : passes)
      ASSERT_TRUE(pass->complete()) << pass->error();
  }
  for (const auto& worker : forest.workers) {
    const auto found = positions(*worker);
    for (std::size_t k = 0; k < found.size(); ++k)
      ASSERT_NEAR(found[k], expected[k], 1e-3);
    EXPECT_EQ(found, positions(*forest.workers[0]));
  }
}

TEST_P(TreePassOn, PassesAnEarlierResultOnWhoeverHasIt) {
  for (int who = 0; who < GetParam().size; ++who) {
    SCOPED_TRACE("from worker " + std::to_string(who));
    Forest forest(make_tree(GetParam().shape, GetParam().size), 200, 16);
    std::set<std::size_t> have{static_cast<std::size_t>(who)};
    // The same result may be with several.
    if (who + 2 < GetParam().size) have.insert(static_cast<std::size_t>(who + 2));
    for (const std::size_t i : have) {
      for (auto& buffer : forest.workers[i]->parameters) {
        for (std::size_t k = 0; k < buffer.size(); ++k)
          buffer[k] = 0.1F * static_cast<float>(k);
      }
      test::clear_corrections(*forest.workers[i]->replica);
      forest.average_alone(i);
    }
    const auto result = positions(*forest.workers[static_cast<std::size_t>(who)]);
    const auto passes = forest.passes(TreeOperation::kFinalAverage, 4, have);
    ASSERT_TRUE(forest.run(passes));
    for (std::size_t i = 0; i < forest.size(); ++i) {
      ASSERT_TRUE(passes[i]->complete()) << passes[i]->error();
      ASSERT_EQ(positions(*forest.workers[i]), result) << "worker " << i;
      EXPECT_EQ(passes[i]->members(), 1);
      ASSERT_EQ(passes[i]->counted().size(), 1U);
      EXPECT_TRUE(have.contains(static_cast<std::size_t>(passes[i]->counted()[0])))
          << "the list is the result's";
      EXPECT_EQ(passes[i]->squared_distance() > 0, !have.contains(i));
    }
  }
}

/// With a synchronous algorithm the holder of a result may have moved on from it: it gives away what it kept,
/// and keeps what it has.
TEST_P(TreePassOn, PassesTheKeptResultOnWithoutTouchingItsOwnParameters) {
  for (std::size_t who = 0; who < static_cast<std::size_t>(GetParam().size); ++who) {
    SCOPED_TRACE("from worker " + std::to_string(who));
    Forest forest(make_tree(GetParam().shape, GetParam().size), 200, 16, false);
    {
      TreePlan plan;
      TreePass alone(*forest.workers[who]->replica, {}, plan, test::seconds());
      ASSERT_TRUE(alone.advance(test::seconds()));
    }
    const auto result = positions(*forest.workers[who]);
    for (auto& buffer : forest.workers[who]->parameters)
      buffer[0] += 1.0F;
    // A broken attempt in between writes over nothing that is kept.
    {
      const auto broken = forest.pass(who, TreeOperation::kAverage, 2);
      if (GetParam().size > 1) {
        broken->advance(test::seconds());
      }
    }
    forest.close(who);
    forest.link();
    const auto moved_on = positions(*forest.workers[who]);
    const auto passes = forest.passes(TreeOperation::kAverage, 1, {who});
    ASSERT_TRUE(forest.run(passes));
    for (std::size_t i = 0; i < forest.size(); ++i) {
      ASSERT_TRUE(passes[i]->complete()) << passes[i]->error();
      ASSERT_EQ(positions(*forest.workers[i]), i == who ? moved_on : result) << "worker " << i;
    }
  }
}

TEST_P(TreePassOn, WorksAcrossThreads) {
  Forest forest(make_tree(GetParam().shape, GetParam().size), 3000, 128);
  const auto expected = forest.mean_of_the_living();
  std::vector<std::string> errors(forest.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < forest.size(); ++i) {
    threads.emplace_back([&forest, &errors, i] {
      for (std::uint64_t attempt = 1; attempt <= 10; ++attempt) {
        const auto pass = forest.pass(i, TreeOperation::kAverage, attempt);
        while (!pass->advance(test::seconds()))
          forest.workers[i]->context->poll(1'000'000);
        if (!pass->complete()) {
          errors[i] = pass->error();
          break;
        }
      }
      // As a worker at its end does: nobody closes before everybody has it.
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (std::size_t i = 0; i < forest.size(); ++i) {
    ASSERT_EQ(errors[i], "");
    expect_near(positions(*forest.workers[i]), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Trees, TreePassOn,
                         ::testing::Values(Case{"path", 1}, Case{"path", 2}, Case{"path", 3}, Case{"star", 3},
                                           Case{"ring", 3}, Case{"path", 16}, Case{"star", 16},
                                           Case{"ring", 16}),
                         [](const auto& tree) {
                           return std::string(tree.param.shape) + "_" + std::to_string(tree.param.size);
                         });

/// A death at any moment: whoever's pass is not complete has lost nothing, the next attempt ends alike for
/// all that live, and if somebody had the result already, that one stands.
TEST(TreePass, SurvivesADeathInTheMiddle) {
  int broken = 0, had_result = 0;
  for (const char* shape : {"path", "ring", "star"}) {
    for (std::size_t victim = 0; victim < 7; ++victim) {
      for (int turns = 0; turns < 40; turns += 1 + turns / 8) {
        SCOPED_TRACE(std::string(shape) + ", worker " + std::to_string(victim) + " dies after " +
                     std::to_string(turns) + " turns");
        Forest forest(make_tree(shape, 7), 600, 32);
        const auto passes = forest.passes(TreeOperation::kFinalAverage, 1);
        std::vector<std::vector<Snapshot>> before;
        for (const auto& worker : forest.workers)
          before.push_back(test::snapshots(*worker->replica));
        for (int turn = 0; turn < turns; ++turn)
          forest.turn(passes);
        forest.kill(victim);
        ASSERT_TRUE(forest.run(passes));
        std::set<std::size_t> have;
        for (std::size_t i = 0; i < forest.size(); ++i) {
          if (!forest.alive(i)) continue;
          if (passes[i]->complete()) {
            have.insert(i);
            EXPECT_EQ(passes[i]->members(), 7);
          } else {
            ++broken;
            EXPECT_EQ(test::snapshots(*forest.workers[i]->replica), before[i]) << "worker " << i;
            EXPECT_THAT(passes[i]->error(), HasSubstr("worker "));
          }
        }
        const auto among_the_living = forest.mean_of_the_living();
        forest.link();
        const auto again = forest.passes(TreeOperation::kFinalAverage, 2, have);
        std::vector<int> counted;
        for (std::size_t i = 0; i < forest.size(); ++i) {
          if (!have.empty() || forest.alive(i)) counted.push_back(static_cast<int>(i));
        }
        ASSERT_TRUE(forest.run(again));
        const auto result = positions(*forest.workers[victim == 0 ? 1 : 0]);
        if (have.empty()) {
          expect_near(result, among_the_living);
        } else {
          ++had_result;
        }
        for (std::size_t i = 0; i < forest.size(); ++i) {
          if (!forest.alive(i)) continue;
          ASSERT_TRUE(again[i]->complete()) << again[i]->error();
          EXPECT_EQ(again[i]->members(), have.empty() ? 6 : 7);
          EXPECT_EQ(again[i]->counted(), counted);
          EXPECT_EQ(positions(*forest.workers[i]), result);
        }
      }
    }
  }
  // The test would prove nothing if deaths always came too early or too late.
  EXPECT_GT(broken, 100);
  EXPECT_GT(had_result, 5);
}

TEST(TreePass, NamesWhomItWaitsForWhenNothingMoves) {
  Forest forest(make_tree("star", 3), 200, 16);
  const auto root = forest.pass(0, TreeOperation::kAverage, 1, false, 5.0);
  const auto child = forest.pass(1, TreeOperation::kAverage, 1, false, 5.0);
  const auto before = test::snapshots(*forest.workers[0]->replica);
  for (int turn = 0; turn < 50; ++turn) {
    for (std::size_t i = 0; i < 2; ++i)
      forest.workers[i]->context->poll(0);
    ASSERT_FALSE(root->advance(test::seconds()));
    ASSERT_FALSE(child->advance(test::seconds()));
  }
  EXPECT_TRUE(root->advance(test::seconds() + 6));
  EXPECT_FALSE(root->complete());
  EXPECT_THAT(root->error(), HasSubstr("no progress for 5 s"));
  EXPECT_THAT(root->error(), HasSubstr("block 0 of 14 worker 2"));
  EXPECT_THAT(root->error(), ::testing::Not(HasSubstr("worker 1")));
  EXPECT_TRUE(child->advance(test::seconds() + 6));
  EXPECT_THAT(child->error(), HasSubstr("worker 0"));
  EXPECT_EQ(test::snapshots(*forest.workers[0]->replica), before);
}

TEST(TreePass, RefusesABlockOfAnotherAttempt) {
  Forest forest(make_tree("path", 2), 200, 16);
  const auto root = forest.pass(0, TreeOperation::kAverage, 2);
  const auto child = forest.pass(1, TreeOperation::kAverage, 1);
  EXPECT_TRUE(test::drive({forest.workers[0]->context.get(), forest.workers[1]->context.get()}, [&] {
    child->advance(test::seconds());
    return root->advance(test::seconds());
  }));
  EXPECT_FALSE(root->complete());
  EXPECT_THAT(root->error(), HasSubstr("block 0 of 14 from worker 1 was refused"));
  EXPECT_THAT(root->error(), HasSubstr("belongs to 0x1 instead of 0x2"));
}

TEST(TreePass, KeepsTheMemoryOfABrokenPassApart) {
  Forest forest(make_tree("path", 2), 200, 16);
  Worker& worker = *forest.workers[1];
  {
    const auto broken = forest.pass(1, TreeOperation::kAverage, 1);
    broken->advance(test::seconds());
  }
  const std::weak_ptr<PassMemory> lent = worker.replica->pass_memory();
  EXPECT_GT(lent.use_count(), 1) << "operations are in flight in it";
  {
    // Nobody closed the connection yet: the next pass must not work in memory that may still be written to.
    const auto next = forest.pass(1, TreeOperation::kAverage, 2);
    EXPECT_NE(worker.replica->pass_memory(), lent.lock());
  }
  forest.close(1);
  EXPECT_TRUE(test::drive({worker.context.get()}, [&] { return lent.expired(); }));
}

TEST(TreePass, AveragesStatisticsButDoesNotCountThemInTheDistance) {
  Forest forest(make_tree("path", 2), 30, 16);
  std::vector<std::vector<float>> weights, statistics;
  std::vector<std::unique_ptr<Replica>> replicas;
  for (std::size_t i = 0; i < 2; ++i) {
    weights.emplace_back(20, i == 0 ? 1.0F : 3.0F);
    statistics.emplace_back(20, i == 0 ? 10.0F : 50.0F);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    replicas.push_back(std::make_unique<Replica>(
        std::vector<Buffer>{{statistics[i].data(), 20, DType::kFloat32, "s", "", BufferRole::kStatistics, 0},
                            {weights[i].data(), 20, DType::kFloat32, "w", ""}},
        true, 64));
  }
  TreePlan plan;
  plan.operation = TreeOperation::kFinalAverage;
  plan.world_size = 2;
  TreePass one(*replicas[0], forest.links(0), plan, test::seconds());
  plan.rank = 1;
  TreePass other(*replicas[1], forest.links(1), plan, test::seconds());
  EXPECT_TRUE(test::drive({forest.workers[0]->context.get(), forest.workers[1]->context.get()}, [&] {
    const bool first = one.advance(test::seconds());
    return other.advance(test::seconds()) && first;
  }));
  EXPECT_EQ(statistics[1], std::vector<float>(20, 30.0F));
  EXPECT_EQ(weights[0], std::vector<float>(20, 2.0F));
  EXPECT_EQ(one.squared_distance(), 20.0);
  EXPECT_EQ(other.squared_distance(), 20.0);
}

}  // namespace
}  // namespace duet::exchange
