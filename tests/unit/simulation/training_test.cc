#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "duet/error.h"
#include "simulation/training.h"

namespace duet::simulation {
namespace {

using ::testing::HasSubstr;

TrainingOptions small(const std::string& algorithm) {
  TrainingOptions options;
  options.algorithm = algorithm;
  options.dimension = 16;
  options.objective.noise = 0.2;
  options.objective.curvature = 0.2;
  options.length = 300.0;
  options.seed = 1;
  return options;
}

class EveryAlgorithm : public testing::TestWithParam<const char*> {};

TEST_P(EveryAlgorithm, LearnsAQuadraticAndALogisticModel) {
  TrainingOptions options = small(GetParam());
  options.rate = 0.5;
  const Topology ring = Topology::make("ring", 8, 0.5);
  const TrainingResult quadratic = run_training(ring, options);
  EXPECT_LT(quadratic.loss(), 0.3 * quadratic.curve.front().loss);
  options.objective.kind = "logistic";
  const TrainingResult logistic = run_training(ring, options);
  EXPECT_NEAR(logistic.curve.front().loss, std::log(2.0), 1e-6);
  EXPECT_LT(logistic.loss(), 0.6);
  for (const TrainingResult* result : {&quadratic, &logistic}) {
    EXPECT_FALSE(result->diverged);
    // Who steps together waits for the slowest of each step.
    EXPECT_LE(result->curve.back().steps, 310.0);
    EXPECT_GE(result->curve.back().steps, 240.0);
  }
}

TEST_P(EveryAlgorithm, WithUnequalDataStillFindsTheCommonOptimum) {
  TrainingOptions options = small(GetParam());
  options.objective.heterogeneity = 1.0;
  options.objective.noise = 0.1;
  options.rate = 0.5;
  const TrainingResult result = run_training(Topology::make("ring", 8, 0.5), options);
  EXPECT_LT(result.loss(), 0.1 * result.curve.front().loss);
}

TEST_P(EveryAlgorithm, IsRepeatable) {
  const TrainingOptions options = small(GetParam());
  const Topology ring = Topology::make("ring", 6);
  const TrainingResult first = run_training(ring, options), second = run_training(ring, options);
  ASSERT_EQ(first.curve.size(), second.curve.size());
  for (std::size_t k = 0; k < first.curve.size(); ++k) {
    EXPECT_EQ(first.curve[k].consensus, second.curve[k].consensus);
    EXPECT_EQ(first.curve[k].loss, second.curve[k].loss);
    EXPECT_EQ(first.curve[k].meetings, second.curve[k].meetings);
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, EveryAlgorithm,
                         testing::Values("a2cid2", "adpsgd", "allreduce", "dpsgd", "local-sgd"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Training, AllReduceHasNoConsensusDistanceAndEquallyManyStepsForAll) {
  const TrainingResult result = run_training(Topology::make("ring", 8), small("allreduce"));
  ASSERT_GT(result.curve.back().steps, 200.0);
  for (const TrainingPoint& point : result.curve) {
    EXPECT_LT(point.consensus, 1e-5);
    // As many as there were averages, and nobody makes more than one before each.
    EXPECT_EQ(point.steps, point.meetings);
  }
}

TEST(Training, LocalSgdAveragesAsOftenAsItsRateSays) {
  TrainingOptions options = small("local-sgd");
  options.rate = 0.125;
  const TrainingResult result = run_training(Topology::make("ring", 8), options);
  EXPECT_NEAR(result.curve.back().meetings, result.curve.back().steps / 8.0, 1.0);
  options.rate = 1.0;
  const TrainingResult every = run_training(Topology::make("ring", 8), options);
  EXPECT_EQ(every.curve.back().meetings, every.curve.back().steps);
}

TEST(Training, SynchronousStepsWaitForAStragglerAndMeetingsDoNot) {
  const auto steps = [](const char* algorithm) {
    TrainingOptions options = small(algorithm);
    options.stragglers = 1;
    options.straggler_factor = 4.0;
    return run_training(Topology::make("ring", 8), options).curve.back().steps;
  };
  EXPECT_LT(steps("allreduce"), 80.0);
  EXPECT_LT(steps("dpsgd"), 120.0);  // who is far from the straggler is up to four steps ahead
  EXPECT_GT(steps("a2cid2"), 260.0);
}

TEST(Training, NotesWhenTheTargetWasReached) {
  TrainingOptions options = small("allreduce");
  options.target_loss = 0.01;
  options.stop_at_target = true;
  options.record_every = 1.0;
  const TrainingResult result = run_training(Topology::make("ring", 8), options);
  EXPECT_GT(result.seconds_to_target, 5.0);
  EXPECT_EQ(result.seconds_to_target, result.curve.back().seconds);
  EXPECT_LE(result.curve.back().loss, 0.01);
}

TEST(Training, SaysWhenItDiverges) {
  TrainingOptions options = small("a2cid2");
  options.clock = "wall";
  options.delivered = 0.1;
  options.length = 3000.0;
  const TrainingResult result = run_training(Topology::make("ring", 64), options);
  EXPECT_TRUE(result.diverged);
  EXPECT_LT(result.curve.back().seconds, 3000.0);
}

TEST(Training, AlgorithmsWithoutMeetingsRefuseWhatIsOfMeetings) {
  struct Case {
    const char* option;
    void (*set)(TrainingOptions&);
  };
  const Case cases[] = {
      {"--clock", [](TrainingOptions& o) { o.clock = "wall"; }},
      {"--pairing", [](TrainingOptions& o) { o.policy = "fifo"; }},
      {"--delivered", [](TrainingOptions& o) { o.delivered = 0.5; }},
      {"--constants", [](TrainingOptions& o) { o.constants = "measured"; }},
      {"--eta-factor", [](TrainingOptions& o) { o.eta_factor = 1.4; }},
      {"--alpha-tilde-factor", [](TrainingOptions& o) { o.alpha_tilde_factor = 0.7; }},
      {"--deterministic-budget", [](TrainingOptions& o) { o.deterministic_budget = true; }},
      {"--loss", [](TrainingOptions& o) { o.loss = 0.1; }},
      {"--torn", [](TrainingOptions& o) { o.torn = 0.1; }},
      {"--wire", [](TrainingOptions& o) { o.wire = DType::kBFloat16; }},
  };
  for (const char* algorithm : {"a2cid2", "allreduce", "dpsgd", "local-sgd"}) {
    for (const Case& tested : cases) {
      SCOPED_TRACE(std::string(algorithm) + " " + tested.option);
      TrainingOptions options = small(algorithm);
      options.length = 5.0;
      tested.set(options);
      if (options.algorithm == "a2cid2") {
        EXPECT_NO_THROW(run_training(Topology::make("ring", 4), options));
        continue;
      }
      try {
        run_training(Topology::make("ring", 4), options);
        ADD_FAILURE() << "was taken";
      } catch (const ConfigurationError& error) {
        EXPECT_THAT(error.what(), HasSubstr(tested.option));
      }
    }
  }
}

TEST(Training, RefusesWhatCannotBe) {
  const Topology ring = Topology::make("ring", 4);
  for (const char* algorithm : {"sgp", ""}) {
    EXPECT_THROW(run_training(ring, small(algorithm)), ConfigurationError);
  }
  TrainingOptions options = small("a2cid2");
  options.momentum = 1.0;
  EXPECT_THROW(run_training(ring, options), ConfigurationError);
  options = small("a2cid2");
  options.length = 0.0;
  EXPECT_THROW(run_training(ring, options), ConfigurationError);
  options = small("a2cid2");
  options.clock = "sundial";
  EXPECT_THROW(run_training(ring, options), ConfigurationError);
  options = small("a2cid2");
  options.record_every = 1e-9;
  EXPECT_THROW(run_training(ring, options), ConfigurationError);
  options = small("a2cid2");
  options.stop_at_target = true;
  EXPECT_THROW(run_training(ring, options), ConfigurationError);
  for (const char* algorithm : {"a2cid2", "allreduce"}) {
    options = small(algorithm);
    options.dimension = 0;
    EXPECT_THROW(run_training(ring, options), ConfigurationError);
    options = small(algorithm);
    options.constants = "guessed";
    EXPECT_THROW(run_training(ring, options), ConfigurationError);
  }
  options = small("a2cid2");
  options.unlimited_budget = true;
  EXPECT_THROW(run_training(ring, options), ConfigurationError);
}

}  // namespace
}  // namespace duet::simulation
