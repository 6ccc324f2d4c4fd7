#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "duet/error.h"
#include "duet/topology.h"

namespace duet {
namespace {

void expect_constants(const std::string& graph, int workers, double chi1, double chi2, double eta,
                      double alpha_tilde) {
  SCOPED_TRACE(graph + " of " + std::to_string(workers));
  const Constants constants = Topology::make(graph, workers).constants();
  EXPECT_NEAR(constants.chi1, chi1, 1e-4 * chi1);
  EXPECT_NEAR(constants.chi2, chi2, 1e-4 * chi2);
  EXPECT_NEAR(constants.eta, eta, 2e-4 * eta);
  EXPECT_NEAR(constants.alpha_tilde, alpha_tilde, 1e-4 * alpha_tilde);
  EXPECT_EQ(constants.alpha, 0.5);
  EXPECT_TRUE(constants.accelerates);
}

void expect_agreement(const Topology& topology, double tolerance = 1e-9) {
  SCOPED_TRACE(topology.name() + " of " + std::to_string(topology.workers()));
  const Constants closed = topology.constants();
  const Constants dense = topology.dense_constants();
  EXPECT_NEAR(closed.chi1, dense.chi1, tolerance * dense.chi1);
  EXPECT_NEAR(closed.chi2, dense.chi2, tolerance * dense.chi2);
  EXPECT_NEAR(closed.eta, dense.eta, tolerance * dense.eta);
  EXPECT_NEAR(closed.alpha_tilde, dense.alpha_tilde, tolerance * dense.alpha_tilde);
  EXPECT_EQ(closed.accelerates, dense.accelerates);
}

TEST(Constants, HaveTheirKnownValues) {
  expect_constants("ring", 4, 1.0, 0.75, 0.57735, 0.57735);
  expect_constants("ring", 16, 13.1371, 0.9375, 0.14247, 1.8717);
  expect_constants("ring", 64, 207.6725, 0.984375, 0.03497, 7.2624);
  expect_constants("exponential", 16, 1.75, 0.9571, 0.3863, 0.6761);
  expect_constants("exponential-paper", 16, 2.0, 1.0097, 0.35186, 0.7037);
  expect_constants("star", 16, 15.0, 7.5, 0.5 / std::sqrt(112.5), 0.5 * std::sqrt(2.0));
}

TEST(Constants, HaveNothingToAccelerateOnACompleteGraph) {
  for (const int workers : {2, 3, 4, 5, 16, 17, 128}) {
    const Topology topology = Topology::make("complete", workers);
    const Constants constants = topology.constants();
    const double expected = (workers - 1.0) / workers;
    EXPECT_NEAR(constants.chi1, expected, 1e-12);
    EXPECT_NEAR(constants.chi2, expected, 1e-12);
    EXPECT_EQ(constants.alpha_tilde, 0.5);
    EXPECT_FALSE(constants.accelerates);
    EXPECT_FALSE(topology.dense_constants().accelerates);
  }
  // A ring of 3 is complete, whatever it is called.
  EXPECT_FALSE(Topology::make("ring", 3).constants().accelerates);
  EXPECT_FALSE(Topology::make("exponential", 2).constants().accelerates);
}

TEST(Constants, ClosedFormsAgreeWithLinearAlgebraAtEverySmallSize) {
  for (int workers = 2; workers <= 70; ++workers) {
    for (const char* graph : {"ring", "path", "star", "complete", "exponential"}) {
      expect_agreement(Topology::make(graph, workers));
    }
    for (int rows = 2; rows <= workers / 2; ++rows) {
      if (workers % rows != 0) continue;
      expect_agreement(
          Topology::make("torus:" + std::to_string(rows) + "x" + std::to_string(workers / rows), workers));
    }
  }
  for (const int workers : {2, 4, 8, 16, 32, 64, 128}) {
    expect_agreement(Topology::make("hypercube", workers));
    expect_agreement(Topology::make("exponential-paper", workers));
  }
}

TEST(Constants, ClosedFormsAgreeWithLinearAlgebraAtLargerSizes) {
  for (const char* graph : {"ring", "path", "star", "exponential", "torus"}) {
    expect_agreement(Topology::make(graph, 300, 0.7), 1e-8);
  }
  expect_agreement(Topology::make("hypercube", 256, 3.0), 1e-8);
}

TEST(Constants, ScaleWithTheRate) {
  for (const char* graph :
       {"ring", "path", "star", "complete", "torus", "exponential", "random-regular:4:9"}) {
    const Constants one = Topology::make(graph, 24, 1.0).constants();
    const Constants four = Topology::make(graph, 24, 4.0).constants();
    EXPECT_NEAR(four.chi1, one.chi1 / 4, 1e-9 * one.chi1) << graph;
    EXPECT_NEAR(four.chi2, one.chi2 / 4, 1e-9 * one.chi2) << graph;
    EXPECT_NEAR(four.eta, one.eta * 4, 1e-8 * one.eta) << graph;
    EXPECT_NEAR(four.alpha_tilde, one.alpha_tilde, 1e-9) << graph;
  }
}

TEST(Constants, OfAWeightedGraphComeFromItsLaplacian) {
  // Two workers at rate λ: λ₂ = 2λ, resistance 1/λ.
  const Constants pair = Topology::from_edges(2, {{0, 1, 0.25}}).constants();
  EXPECT_NEAR(pair.chi1, 2.0, 1e-12);
  EXPECT_NEAR(pair.chi2, 2.0, 1e-12);
  // A path whose second edge is 10⁶ times weaker: the weak edge decides both, and accuracy survives.
  const Constants weak = Topology::from_edges(3, {{0, 1, 1.0}, {1, 2, 1e-6}}).constants();
  EXPECT_NEAR(weak.chi2, 5e5, 1e-3);
  const double a = 1.0 + 1e-6;  // λ₂ = a − √(a² − 3·10⁻⁶), by hand, without cancellation
  EXPECT_NEAR(weak.chi1, (a + std::sqrt(a * a - 3e-6)) / 3e-6, 1e-3);
}

TEST(Constants, OfAHundredThousandWorkersTakeMilliseconds) {
  constexpr int kWorkers = 100000;
  const auto start = std::chrono::steady_clock::now();
  for (const char* graph : {"ring", "path", "star", "complete", "torus", "exponential", "torus:2x50000"}) {
    const Topology topology = Topology::make(graph, kWorkers);
    const Constants constants = topology.constants();
    EXPECT_TRUE(std::isfinite(constants.chi1)) << graph;
    EXPECT_GT(constants.chi1, 0.0) << graph;
    EXPECT_GE(constants.chi1, constants.chi2 * (1 - 1e-12)) << graph;
  }
  EXPECT_TRUE(Topology::make("hypercube", 1 << 17).constants().accelerates);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_LT(elapsed.count(), 5.0);  // generous: sanitizers, loaded machines; it is about 0.02 s
  EXPECT_EQ(Topology::make("complete", kWorkers).edge_count(), 4999950000u);
  EXPECT_NEAR(Topology::make("ring", kWorkers).constants().chi1,
              1e10 / (2 * std::numbers::pi * std::numbers::pi), 10.0);
}

TEST(Constants, AreRefusedWhereTheyWouldTakeForever) {
  const Topology topology = Topology::make("random-regular:3", 2002);
  try {
    topology.constants();
    FAIL() << "no refusal";
  } catch (const ConfigurationError& error) {
    EXPECT_NE(std::string(error.what()).find("2002 workers"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("up to 2000"), std::string::npos) << error.what();
  }
}

TEST(Constants, OfOneWorkerAloneAskForNothing) {
  for (const char* graph : {"ring", "complete", "star", "torus", "torus:1x1", "hypercube", "exponential",
                            "exponential-paper", "path", "random-regular:3"}) {
    const Topology topology = Topology::make(graph, 1);
    EXPECT_TRUE(topology.edges().empty()) << graph;
    EXPECT_TRUE(topology.neighbours(0).empty()) << graph;
    EXPECT_EQ(topology.rate_of(0), 0.0) << graph;
    for (const Constants& constants : {topology.constants(), topology.dense_constants()}) {
      EXPECT_EQ(constants.eta, 0.0) << graph;
      EXPECT_EQ(constants.alpha_tilde, 0.5) << graph;
      EXPECT_FALSE(constants.accelerates) << graph;
    }
  }
}

}  // namespace
}  // namespace duet
