#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "duet/error.h"
#include "duet/topology.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(int workers, std::vector<Edge> edges) {
  try {
    Topology::from_edges(workers, std::move(edges), "mine");
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no refusal";
}

TEST(EdgeList, NamesTheEdgeThatIsWrong) {
  EXPECT_THAT(refusal(3, {{0, 1}, {1, 3}}),
              AllOf(HasSubstr("graph mine"), HasSubstr("{1, 3} is out of range")));
  EXPECT_THAT(refusal(3, {{0, 1}, {2, -1}}), HasSubstr("{-1, 2} is out of range"));
  EXPECT_THAT(refusal(3, {{0, 1}, {2, 2}}), HasSubstr("{2, 2} is a self-loop"));
  EXPECT_THAT(refusal(3, {{0, 1}, {1, 2}, {1, 0}}), HasSubstr("{0, 1} is there twice"));
  for (const double rate : {0.0, -0.5, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    EXPECT_THAT(refusal(3, {{0, 1}, {1, 2, rate}}), HasSubstr("{1, 2} has rate"));
  }
  EXPECT_THAT(refusal(4, {{0, 1}, {2, 3}}), HasSubstr("worker 2 cannot be reached"));
  EXPECT_THAT(refusal(2, {}), HasSubstr("worker 1 cannot be reached"));
  EXPECT_THAT(refusal(0, {}), HasSubstr("at least 1"));
  EXPECT_EQ(refusal(1, {}), "no refusal");
}

TEST(EdgeList, IsSortedWithTheLowerEndFirst) {
  const Topology topology = Topology::from_edges(3, {{2, 1, 0.5}, {1, 0, 0.25}});
  EXPECT_EQ(topology.edges(), (std::vector<Edge>{{0, 1, 0.25}, {1, 2, 0.5}}));
  EXPECT_EQ(topology.name(), "custom");
  EXPECT_EQ(topology.rate_of(1), 0.75);
}

TEST(EdgeList, IgnoresRatesWhereABudgetIsShared) {
  const Topology topology = Topology::with_budget(3, {{0, 1, -7.0}, {2, 1, 3.0}}, 1.0);
  EXPECT_EQ(topology.edges(), (std::vector<Edge>{{0, 1, 0.5}, {1, 2, 0.5}}));
  EXPECT_THROW(Topology::with_budget(3, {{0, 1}, {1, 2}}, 0.0), ConfigurationError);
  EXPECT_THROW(Topology::with_budget(3, {{0, 5}, {1, 2}}, 1.0), ConfigurationError);
}

TEST(EdgeList, SurvivesBeingMovedFrom) {
  Topology first = Topology::make("ring", 4);
  const Topology second =
      std::move(first);  // NOLINT(performance-move-const-arg): that it copies is the point
  EXPECT_EQ(second.workers(), 4);
  EXPECT_EQ(first.workers(), 4);  // NOLINT(bugprone-use-after-move): a topology has no empty state
}

class EdgeFile : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  Topology make(const std::string& text, int workers, double rate = 1.0) {
    std::ofstream(path_) << text;
    return Topology::make("file:" + path_, workers, rate);
  }
  std::string refusal(const std::string& text, int workers) {
    try {
      make(text, workers);
    } catch (const ConfigurationError& error) {
      return error.what();
    }
    return "no refusal";
  }

  const std::string path_ = ::testing::TempDir() + "duet_edges_" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".txt";
};

TEST_F(EdgeFile, GivesEdgesWithoutRatesTheBudget) {
  const Topology topology = make("# a path\n0 1\n\n  2\t1 # here too\r\n", 3, 2.0);
  EXPECT_EQ(topology.edges(), (std::vector<Edge>{{0, 1, 1.0}, {1, 2, 1.0}}));
  EXPECT_EQ(topology.name(), "file:" + path_);
}

TEST_F(EdgeFile, MayBeginWithAByteOrderMark) {
  EXPECT_EQ(make("\xEF\xBB\xBF"
                 "0 1\n",
                 2)
                .edges(),
            (std::vector<Edge>{{0, 1, 1.0}}));
}

TEST_F(EdgeFile, TakesRatesTimesTheRate) {
  const Topology topology = make("0 1 0.5\n1 2 1e-1", 3, 2.0);
  EXPECT_EQ(topology.edges(), (std::vector<Edge>{{0, 1, 1.0}, {1, 2, 0.2}}));
}

TEST_F(EdgeFile, NamesFileAndLine) {
  const std::string file = path_;
  EXPECT_THAT(refusal("0 1\n1 x\n", 3), AllOf(HasSubstr(file + ", line 2"), HasSubstr("\"x\" is no worker")));
  EXPECT_THAT(refusal("# first\n\n0\n", 3), HasSubstr("line 3: 1 words"));
  EXPECT_THAT(refusal("0 1 2 3\n", 3), HasSubstr("line 1: 4 words"));
  EXPECT_THAT(refusal("0 1\n1 3\n", 3), HasSubstr("line 2: worker 3 is out of range: workers are 0 to 2"));
  EXPECT_THAT(refusal("0 1\n-1 2\n", 3), HasSubstr("line 2: worker -1 is out of range"));
  EXPECT_THAT(refusal("0 1\n1 1\n", 3), HasSubstr("line 2: edge {1, 1} is a self-loop"));
  EXPECT_THAT(refusal("0 1\n1 2\n1 0\n", 3), HasSubstr("line 3: edge {0, 1} is already on line 1"));
  EXPECT_THAT(refusal("0 1 1\n1 2\n", 3), HasSubstr("line 2: has no rate"));
  EXPECT_THAT(refusal("0 1\n1 2 1\n", 3), HasSubstr("line 2: has a rate"));
  for (const char* rate : {"fast", "0", "-1", "nan", "inf", "1.0x", "0x10", "1,5"}) {
    EXPECT_THAT(refusal(std::string("0 1 ") + rate, 2), HasSubstr("is no rate")) << rate;
  }
  EXPECT_THAT(refusal("0 1\n", 3), AllOf(HasSubstr(file), HasSubstr("worker 2 cannot be reached")));
  EXPECT_THAT(refusal("", 2), AllOf(HasSubstr(file), HasSubstr("holds no edges")));
  EXPECT_THAT(refusal("# nothing\n", 2), HasSubstr("holds no edges"));
}

TEST_F(EdgeFile, SaysWhyAFileCannotBeRead) {
  const auto why = [](const std::string& path) {
    try {
      Topology::make("file:" + path, 2);
    } catch (const ConfigurationError& error) {
      return std::string(error.what());
    }
    return std::string("no refusal");
  };
  EXPECT_THAT(why("/nowhere/graph.txt"),
              AllOf(HasSubstr("/nowhere/graph.txt"), HasSubstr("No such file"), HasSubstr("i j [rate]")));
  EXPECT_THAT(why(""), HasSubstr("the path is missing"));
  EXPECT_THAT(why(::testing::TempDir()), HasSubstr("is a directory"));
}

}  // namespace
}  // namespace duet
