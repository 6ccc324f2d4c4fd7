#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "duet/error.h"
#include "duet/topology.h"

namespace duet {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& graph, int workers, double rate = 1.0) {
  try {
    Topology::make(graph, workers, rate);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no refusal";
}

std::vector<std::pair<int, int>> pairs(const Topology& topology) {
  std::vector<std::pair<int, int>> result;
  for (const Edge& edge : topology.edges())
    result.emplace_back(edge.a, edge.b);
  return result;
}

using Pairs = std::vector<std::pair<int, int>>;

TEST(Graphs, HaveTheEdgesThatTheirNamesSay) {
  EXPECT_EQ(pairs(Topology::make("ring", 2)), (Pairs{{0, 1}}));
  EXPECT_EQ(pairs(Topology::make("ring", 3)), (Pairs{{0, 1}, {0, 2}, {1, 2}}));
  EXPECT_EQ(pairs(Topology::make("ring", 5)), (Pairs{{0, 1}, {0, 4}, {1, 2}, {2, 3}, {3, 4}}));
  EXPECT_EQ(pairs(Topology::make("path", 4)), (Pairs{{0, 1}, {1, 2}, {2, 3}}));
  EXPECT_EQ(pairs(Topology::make("star", 4)), (Pairs{{0, 1}, {0, 2}, {0, 3}}));
  EXPECT_EQ(pairs(Topology::make("complete", 4)), (Pairs{{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 3}, {2, 3}}));
  EXPECT_EQ(pairs(Topology::make("torus:2x2", 4)), (Pairs{{0, 1}, {0, 2}, {1, 3}, {2, 3}}));
  EXPECT_EQ(pairs(Topology::make("torus:2x3", 6)),
            (Pairs{{0, 1}, {0, 2}, {0, 3}, {1, 2}, {1, 4}, {2, 5}, {3, 4}, {3, 5}, {4, 5}}));
  EXPECT_EQ(pairs(Topology::make("hypercube", 4)), (Pairs{{0, 1}, {0, 2}, {1, 3}, {2, 3}}));
  // 6: offsets ±1, ±2 and 4 = −2 again.
  EXPECT_EQ(Topology::make("exponential", 6).edge_count(), 12u);
  EXPECT_EQ(pairs(Topology::make("exponential", 4)), pairs(Topology::make("complete", 4)));
}

TEST(Graphs, CountTheirEdgesBeforeListingThem) {
  for (int workers = 1; workers <= 64; ++workers) {
    for (const char* graph : {"ring", "path", "star", "complete", "exponential", "torus", "hypercube",
                              "exponential-paper", "random-regular:4"}) {
      if (refusal(graph, workers) != "no refusal") continue;
      const Topology topology = Topology::make(graph, workers);
      const auto& edges = topology.edges();
      ASSERT_EQ(edges.size(), topology.edge_count()) << graph << " of " << workers;
      ASSERT_TRUE(std::is_sorted(edges.begin(), edges.end(),
                                 [](const Edge& left, const Edge& right) {
                                   return std::pair(left.a, left.b) < std::pair(right.a, right.b);
                                 }))
          << graph << " of " << workers;
      // What is made by formula must stand the checks of what is given from outside.
      EXPECT_NO_THROW(Topology::from_edges(workers, edges)) << graph << " of " << workers;
    }
  }
}

TEST(Graphs, GiveRegularGraphsTheirWholeBudget) {
  for (const char* graph :
       {"ring", "complete", "exponential", "torus", "hypercube", "exponential-paper", "random-regular:5:3"}) {
    const Topology topology = Topology::make(graph, 16, 0.8);
    for (int worker = 0; worker < 16; ++worker)
      EXPECT_NEAR(topology.rate_of(worker), 0.8, 1e-12) << graph;
  }
}

TEST(Graphs, NeverAskMoreOfAWorkerThanItsBudget) {
  const Topology star = Topology::make("star", 16);
  EXPECT_NEAR(star.rate_of(0), 1.0, 1e-12);
  EXPECT_NEAR(star.rate_of(7), 1.0 / 15, 1e-12);
  const Topology path = Topology::make("path", 5, 2.0);
  EXPECT_NEAR(path.rate_of(0), 1.0, 1e-12);
  EXPECT_NEAR(path.rate_of(2), 2.0, 1e-12);
  EXPECT_NEAR(Topology::make("path", 2).rate_of(0), 1.0, 1e-12);
  // The formula for any graph says the same as the graphs' own.
  for (const char* graph : {"ring", "star", "path", "complete", "torus", "hypercube", "exponential"}) {
    const Topology named = Topology::make(graph, 32, 1.5);
    const Topology general = Topology::with_budget(32, named.edges(), 1.5);
    ASSERT_EQ(named.edges().size(), general.edges().size());
    for (std::size_t k = 0; k < named.edges().size(); ++k) {
      EXPECT_NEAR(named.edges()[k].rate, general.edges()[k].rate, 1e-12) << graph;
    }
  }
}

TEST(Graphs, DoubleTheAntipodeWhereThePaperDoes) {
  const Topology topology = Topology::make("exponential-paper", 16);
  for (const Edge& edge : topology.edges()) {
    EXPECT_NEAR(edge.rate, edge.b - edge.a == 8 ? 0.25 : 0.125, 1e-12);
  }
  EXPECT_NEAR(Topology::make("exponential-paper", 2).rate_of(0), 1.0, 1e-12);
}

TEST(Graphs, TakeTheSquarestTorus) {
  EXPECT_EQ(Topology::make("torus", 36).edges(), Topology::make("torus:6x6", 36).edges());
  EXPECT_EQ(Topology::make("torus", 24).edges(), Topology::make("torus:4x6", 24).edges());
  EXPECT_EQ(Topology::make("torus", 6).edges(), Topology::make("torus:2x3", 6).edges());
}

TEST(Graphs, ListNeighboursOnBothSides) {
  const Topology topology = Topology::make("exponential", 13);
  for (const Edge& edge : topology.edges()) {
    for (const auto& [from, to] : {std::pair(edge.a, edge.b), std::pair(edge.b, edge.a)}) {
      const auto& all = topology.neighbours(from);
      const auto found =
          std::find_if(all.begin(), all.end(), [to = to](const Neighbour& one) { return one.worker == to; });
      ASSERT_NE(found, all.end());
      EXPECT_EQ(found->rate, edge.rate);
    }
  }
  EXPECT_THROW(topology.neighbours(13), std::out_of_range);
  EXPECT_THROW(topology.neighbours(-1), std::out_of_range);
}

TEST(Graphs, CanBeListedByManyThreadsAtOnce) {
  const Topology topology = Topology::make("exponential", 20000);
  std::vector<std::thread> threads;
  std::vector<double> rates(4);
  for (std::size_t k = 0; k < rates.size(); ++k) {
    threads.emplace_back(
        [copy = topology, &rate = rates[k], k] { rate = copy.rate_of(static_cast<int>(4321 * k)); });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const double rate : rates)
    EXPECT_NEAR(rate, 1.0, 1e-12);
}

TEST(Graphs, RefuseWhatCannotBe) {
  EXPECT_THAT(refusal("torus", 7), HasSubstr("7 is a prime number"));
  EXPECT_THAT(refusal("torus", 2), HasSubstr("prime"));
  EXPECT_THAT(refusal("torus:3x4", 13), HasSubstr("makes 12 workers, but there are 13"));
  for (const char* graph : {"torus:", "torus:1x12", "torus:3", "torus:3x", "torus:x4", "torus:3x4x1",
                            "torus:-3x-4", "torus:3X4", "torus: 3x4", "torus:99999999999x1"}) {
    EXPECT_THAT(refusal(graph, 12), HasSubstr("sides are written ROWSxCOLUMNS")) << graph;
  }
  EXPECT_THAT(refusal("hypercube", 12), HasSubstr("power of 2"));
  EXPECT_THAT(refusal("exponential-paper", 12), HasSubstr("power of 2"));
  EXPECT_THAT(refusal("moebius", 12), HasSubstr("unknown graph \"moebius\"; there are ring, complete"));
  for (const char* graph : {"", "Ring", "ring ", "ring:4", "torus4", "random-regular"}) {
    EXPECT_THAT(refusal(graph, 4), HasSubstr("unknown graph")) << graph;
  }
  for (const int workers : {0, -3})
    EXPECT_THAT(refusal("ring", workers), HasSubstr("at least 1"));
  for (const double rate : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    EXPECT_THAT(refusal("ring", 4, rate), HasSubstr("rate = "));
    EXPECT_THAT(refusal("ring", 1, rate), HasSubstr("rate = "));
  }
}

TEST(Graphs, RefuseToListWhatDoesNotFit) {
  const Topology topology = Topology::make("complete", 100000);
  EXPECT_THROW(topology.edges(), ConfigurationError);
  EXPECT_THROW(topology.neighbours(0), ConfigurationError);
}

TEST(RandomRegular, IsSimpleConnectedRegularAndTheSameForTheSameSeed) {
  for (const auto& [workers, degree] :
       {std::pair(2, 1), std::pair(3, 2), std::pair(4, 3), std::pair(5, 2), std::pair(8, 3), std::pair(9, 4),
        std::pair(30, 7), std::pair(200, 2), std::pair(200, 3), std::pair(16, 15)}) {
    for (int seed = 0; seed < 20; ++seed) {
      const std::string name = "random-regular:" + std::to_string(degree) + ":" + std::to_string(seed);
      const Topology topology = Topology::make(name, workers);  // would throw unless simple and connected
      for (int worker = 0; worker < workers; ++worker) {
        ASSERT_EQ(topology.neighbours(worker).size(), static_cast<std::size_t>(degree))
            << name << " of " << workers;
      }
      EXPECT_EQ(topology.edges(), Topology::make(name, workers).edges());
    }
  }
  EXPECT_EQ(Topology::make("random-regular:3", 20).edges(), Topology::make("random-regular:3:0", 20).edges());
  EXPECT_NE(Topology::make("random-regular:3:1", 20).edges(),
            Topology::make("random-regular:3:2", 20).edges());
}

TEST(RandomRegular, StaysTheSameGraphFromReleaseToRelease) {
  // Workers of one run may come from different builds: the draw is part of the protocol.
  EXPECT_EQ(pairs(Topology::make("random-regular:2:7", 6)),
            (Pairs{{0, 1}, {0, 2}, {1, 5}, {2, 4}, {3, 4}, {3, 5}}));
}

TEST(RandomRegular, MixesLikeAnExpander) {
  const Constants constants = Topology::make("random-regular:4:1", 256).constants();
  EXPECT_LT(constants.chi1,
            12.0);  // Alon–Boppana: 4/(4 − 2√3) = 7.5; a circulant of the same degree has over 200
}

TEST(RandomRegular, RefusesWhatCannotBe) {
  EXPECT_THAT(refusal("random-regular:3", 5), HasSubstr("must be even"));
  EXPECT_THAT(refusal("random-regular:5", 5), HasSubstr("2 to 4 neighbours"));
  EXPECT_THAT(refusal("random-regular:1", 6), HasSubstr("2 to 5 neighbours"));
  for (const char* graph : {"random-regular:", "random-regular:x", "random-regular:3:", "random-regular:3:-1",
                            "random-regular:3:1:2", "random-regular:3.5"}) {
    EXPECT_THAT(refusal(graph, 8), HasSubstr("DEGREE:SEED")) << graph;
  }
}

}  // namespace
}  // namespace duet
