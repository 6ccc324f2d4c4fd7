#include "exchange/tree_level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "unit/exchange/forest.h"

namespace duet::exchange {
namespace {

using test::Forest;
using test::make_tree;
using ::testing::HasSubstr;

class Levels {
 public:
  Levels(Forest& forest, const std::vector<std::uint64_t>& numbers, double timeout = 20.0) : forest_(forest) {
    for (std::size_t i = 0; i < forest.size(); ++i)
      levels.push_back(std::make_unique<TreeLevel>(forest.links(i), numbers[i], timeout, test::seconds()));
  }
  /// True: all whose turn it is are over.
  bool turn(std::size_t from = 0) {
    bool over = true;
    for (std::size_t i = from; i < levels.size(); ++i) {
      forest_.workers[i]->context->poll(0);
      if (!levels[i]->advance(test::seconds())) {
        over = false;
      } else if (!levels[i]->complete()) {
        forest_.close(i);
      }
    }
    return over;
  }
  bool run(std::size_t from = 0) {
    for (const double end = test::seconds() + 20.0; test::seconds() < end;) {
      if (turn(from)) return true;
    }
    return false;
  }
  std::vector<std::unique_ptr<TreeLevel>> levels;

 private:
  Forest& forest_;
};

TEST(TreeLevel, EveryoneLearnsTheSmallestAndTheLargest) {
  for (const char* shape : {"path", "star", "ring"}) {
    for (const int size : {1, 2, 7}) {
      for (std::size_t odd = 0; odd < static_cast<std::size_t>(size); ++odd) {
        SCOPED_TRACE(std::string(shape) + " of " + std::to_string(size) + ", worker " + std::to_string(odd));
        Forest forest(make_tree(shape, size), 10, 4, false);
        std::vector<std::uint64_t> numbers(static_cast<std::size_t>(size), 1ull << 40);
        numbers[odd] += 1;
        Levels all(forest, numbers);
        ASSERT_TRUE(all.run());
        for (const auto& level : all.levels) {
          ASSERT_TRUE(level->complete()) << level->error();
          EXPECT_EQ(level->smallest(), size == 1 ? numbers[0] : 1ull << 40);
          EXPECT_EQ(level->largest(), (1ull << 40) + 1);
        }
      }
    }
  }
}

TEST(TreeLevel, LeavesTheConnectionsInStepForPasses) {
  Forest forest(make_tree("ring", 5), 200, 16);
  Levels all(forest, {3, 3, 3, 3, 3});
  ASSERT_TRUE(all.run());
  const auto passes = forest.passes(TreeOperation::kAverage, 3);
  ASSERT_TRUE(forest.run(passes));
  for (const auto& pass : passes)
    EXPECT_TRUE(pass->complete()) << pass->error();
}

TEST(TreeLevel, BreaksWithTheNameOfWhoeverDied) {
  Forest forest(make_tree("path", 3), 10, 4, false);
  Levels all(forest, {1, 1, 1});
  all.turn(1);
  forest.kill(0);
  ASSERT_TRUE(all.run(1));
  EXPECT_FALSE(all.levels[1]->complete());
  EXPECT_THAT(all.levels[1]->error(), HasSubstr("worker 0"));
  EXPECT_FALSE(all.levels[2]->complete());
  EXPECT_THAT(all.levels[2]->error(), HasSubstr("worker 1"));
}

TEST(TreeLevel, NamesWhomItWaitsFor) {
  Forest forest(make_tree("star", 3), 10, 4, false);
  Levels all(forest, {1, 1, 1}, 5.0);
  for (int i = 0; i < 20; ++i) {
    for (const std::size_t present : {0u, 2u}) {
      forest.workers[present]->context->poll(0);
      ASSERT_FALSE(all.levels[present]->advance(test::seconds()));
    }
  }
  EXPECT_TRUE(all.levels[0]->advance(test::seconds() + 6.0));
  EXPECT_THAT(all.levels[0]->error(), HasSubstr("worker 1"));
  EXPECT_THAT(all.levels[0]->error(), HasSubstr("5 s"));
}

TEST(TreeLevel, RefusesABlockOfAPass) {
  Forest forest(make_tree("path", 2), 8, 4, false);
  const auto pass = forest.pass(1, TreeOperation::kAverage, 1);
  TreeLevel level(forest.links(0), 1, 20.0, test::seconds());
  EXPECT_TRUE(test::drive({forest.workers[0]->context.get(), forest.workers[1]->context.get()}, [&] {
    pass->advance(test::seconds());
    return level.advance(test::seconds());
  }));
  EXPECT_FALSE(level.complete());
  EXPECT_THAT(level.error(), HasSubstr("a block from worker 1 was refused"));
}

}  // namespace
}  // namespace duet::exchange
