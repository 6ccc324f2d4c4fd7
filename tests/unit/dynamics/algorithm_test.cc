#include "duet/algorithm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "duet/error.h"

namespace duet {
namespace {

using ::testing::HasSubstr;

Constants ring_of_16() {
  Constants constants;
  constants.chi1 = 13.1371;
  constants.chi2 = 0.9375;
  constants.eta = 0.14247;
  constants.alpha_tilde = 1.8717;
  constants.accelerates = true;
  return constants;
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "(nothing thrown)";
}

TEST(A2Cid2, CoefficientsAreThoseOfTheMatrixExponential) {
  const auto algorithm = make_meeting_algorithm("a2cid2", ring_of_16());
  EXPECT_EQ(algorithm->name(), "a2cid2");
  EXPECT_TRUE(algorithm->has_momentum());
  for (const double dt : {0.0, 0.1, 1.0, 2.0, 50.0}) {
    const MeetingCoefficients coefficients = algorithm->coefficients(dt);
    EXPECT_NEAR(coefficients.c, (1.0 - std::exp(-2.0 * 0.14247 * dt)) / 2.0, 1e-15) << dt;
    EXPECT_EQ(coefficients.alpha, 0.5);
    EXPECT_NEAR(coefficients.alpha_tilde_minus_alpha, 1.3717, 1e-12);
  }
}

TEST(A2Cid2, KeepsAllDigitsOfShortTimes) {
  const auto algorithm = make_meeting_algorithm("a2cid2", ring_of_16());
  const double dt = 1e-12;  // c = η·dt (1 − η·dt + …)
  EXPECT_NEAR(algorithm->coefficients(dt).c / (0.14247 * dt), 1.0, 1e-12);
}

TEST(A2Cid2, CStaysBetweenZeroAndAHalf) {
  const auto algorithm = make_meeting_algorithm("a2cid2", ring_of_16());
  EXPECT_EQ(algorithm->coefficients(-1.0).c, 0.0);
  EXPECT_EQ(algorithm->coefficients(std::numeric_limits<double>::quiet_NaN()).c, 0.0);
  EXPECT_EQ(algorithm->coefficients(1e300).c, 0.5);
}

TEST(A2Cid2, OnACompleteGraphItIsPlainAveraging) {
  Constants constants;
  constants.chi1 = constants.chi2 = 0.75;
  constants.eta = 1.0 / 1.5;
  const auto algorithm = make_meeting_algorithm("a2cid2", constants);
  EXPECT_EQ(algorithm->coefficients(1.0).alpha_tilde_minus_alpha, 0.0);
}

TEST(A2Cid2, RefusesConstantsThatAreNone) {
  Constants constants = ring_of_16();
  constants.eta = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(make_meeting_algorithm("a2cid2", constants), ConfigurationError);
  constants = ring_of_16();
  constants.eta = -0.1;
  EXPECT_THROW(make_meeting_algorithm("a2cid2", constants), ConfigurationError);
  constants = ring_of_16();
  constants.alpha_tilde = std::numeric_limits<double>::infinity();
  EXPECT_THROW(make_meeting_algorithm("a2cid2", constants), ConfigurationError);
}

TEST(AdPsgd, IsAHalfAndNothingElse) {
  const auto algorithm = make_meeting_algorithm("adpsgd", ring_of_16());
  EXPECT_EQ(algorithm->name(), "adpsgd");
  EXPECT_FALSE(algorithm->has_momentum());
  const MeetingCoefficients coefficients = algorithm->coefficients(3.0);
  EXPECT_EQ(coefficients.c, 0.0);
  EXPECT_EQ(coefficients.alpha, 0.5);
  EXPECT_EQ(coefficients.alpha_tilde_minus_alpha, 0.0);
}

class CountingContext : public StepContext {
 public:
  int members() const override { return 4; }
  double rate() const override { return own_rate; }
  void average(double timeout) override {
    if (fail) throw TimeoutError("rank 3 did not answer");
    ++averages;
    last_timeout = timeout;
  }
  void gossip(double timeout) override {
    if (fail) throw TransportError("communication has ended");
    ++rounds;
    last_timeout = timeout;
  }
  double own_rate = 1.0;
  int averages = 0;
  int rounds = 0;
  double last_timeout = 0.0;
  bool fail = false;
};

TEST(AllReduce, AveragesOnceAfterEveryUpdateWithADeadline) {
  const auto algorithm = make_step_algorithm("allreduce");
  EXPECT_EQ(algorithm->name(), "allreduce");
  CountingContext context;
  for (std::uint64_t step = 0; step < 5; ++step)
    algorithm->after_update(context, step);
  EXPECT_EQ(context.averages, 5);
  EXPECT_GT(context.last_timeout, 1.0);
  EXPECT_LT(context.last_timeout, 3600.0);
}

TEST(AllReduce, LetsTheContextsErrorThrough) {
  CountingContext context;
  context.fail = true;
  EXPECT_THROW(make_step_algorithm("allreduce")->after_update(context, 0), TimeoutError);
}

TEST(LocalSgd, AveragesAfterEveryStepThatItsRateSays) {
  const auto algorithm = make_step_algorithm("local-sgd");
  EXPECT_EQ(algorithm->name(), "local-sgd");
  CountingContext context;
  context.own_rate = 0.25;
  std::vector<std::uint64_t> after;
  for (std::uint64_t step = 0; step < 12; ++step) {
    const int before = context.averages;
    algorithm->after_update(context, step);
    if (context.averages > before) after.push_back(step);
  }
  EXPECT_EQ(after, (std::vector<std::uint64_t>{3, 7, 11}));
  EXPECT_GT(context.last_timeout, 1.0);
  EXPECT_EQ(context.rounds, 0);
}

TEST(LocalSgd, LosesNoAverageToRounding) {
  for (const double rate : {0.001, 0.1, 1.0 / 3.0, 0.3, 0.7, 1.0, 2.0}) {
    CountingContext context;
    context.own_rate = rate;
    const auto algorithm = make_step_algorithm("local-sgd");
    for (std::uint64_t step = 0; step < 3000; ++step)
      algorithm->after_update(context, step);
    EXPECT_EQ(context.averages, static_cast<int>(std::lround(3000.0 * std::min(rate, 1.0)))) << rate;
  }
}

TEST(DPsgd, HoldsOneRoundAfterEveryUpdateWithADeadline) {
  const auto algorithm = make_step_algorithm("dpsgd");
  EXPECT_EQ(algorithm->name(), "dpsgd");
  CountingContext context;
  for (std::uint64_t step = 0; step < 5; ++step)
    algorithm->after_update(context, step);
  EXPECT_EQ(context.rounds, 5);
  EXPECT_EQ(context.averages, 0);
  EXPECT_GT(context.last_timeout, 1.0);
  EXPECT_LT(context.last_timeout, 3600.0);
  context.fail = true;
  EXPECT_THROW(algorithm->after_update(context, 5), TransportError);
}

TEST(AlgorithmNames, AreOfOneKindEach) {
  EXPECT_EQ(algorithm_kind("a2cid2"), AlgorithmKind::kMeeting);
  EXPECT_EQ(algorithm_kind("adpsgd"), AlgorithmKind::kMeeting);
  for (const char* name : {"allreduce", "dpsgd", "local-sgd"})
    EXPECT_EQ(algorithm_kind(name), AlgorithmKind::kStep);
}

TEST(AlgorithmNames, UnknownOnesAreAnsweredWithWhatThereIs) {
  for (const std::string& message : {message_of([] { algorithm_kind("sgp"); }),
                                     message_of([] { make_meeting_algorithm("sgp", ring_of_16()); }),
                                     message_of([] { make_step_algorithm("sgp"); })}) {
    for (const char* word : {"sgp", "a2cid2", "adpsgd", "allreduce", "dpsgd", "local-sgd"})
      EXPECT_THAT(message, HasSubstr(word));
  }
  EXPECT_THROW(make_meeting_algorithm("allreduce", ring_of_16()), ConfigurationError);
  EXPECT_THROW(make_step_algorithm("a2cid2"), ConfigurationError);
}

}  // namespace
}  // namespace duet
