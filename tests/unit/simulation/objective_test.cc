#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "duet/error.h"
#include "simulation/objective.h"

namespace duet::simulation {
namespace {

constexpr std::size_t kDimension = 16;
constexpr int kWorkers = 6;

/// Mean of many of the workers' stochastic gradients at x.
std::vector<double> mean_gradient(Objective& objective, const std::vector<float>& x, int draws) {
  Random random(1);
  std::vector<float> gradient(kDimension);
  std::vector<double> mean(kDimension);
  for (int draw = 0; draw < draws; ++draw) {
    objective.gradient(draw % kWorkers, x.data(), gradient.data(), random);
    for (std::size_t k = 0; k < kDimension; ++k)
      mean[k] += static_cast<double>(gradient[k]) / draws;
  }
  return mean;
}

/// The gradient is that of the loss: by differences of the loss itself.
void expect_consistent(const ObjectiveOptions& options, int draws, double tolerance) {
  const auto objective = make_objective(options, kWorkers, kDimension, 3);
  std::vector<float> x(kDimension);
  for (std::size_t k = 0; k < kDimension; ++k)
    x[k] = 0.3F * static_cast<float>(std::sin(1.0 + static_cast<double>(k)));
  const std::vector<double> gradient = mean_gradient(*objective, x, draws);
  for (std::size_t k = 0; k < kDimension; ++k) {
    std::vector<double> up(x.begin(), x.end()), down = up;
    up[k] += 1e-4;
    down[k] -= 1e-4;
    EXPECT_NEAR(gradient[k], (objective->loss(up) - objective->loss(down)) / 2e-4, tolerance) << k;
  }
}

TEST(Quadratic, ItsGradientIsThatOfTheMeanLossWithEqualAndWithUnequalData) {
  ObjectiveOptions options;
  options.noise = 0.1;
  options.curvature = 1.0;
  options.condition = 10.0;
  expect_consistent(options, 12000, 0.01);
  options.heterogeneity = 2.0;
  expect_consistent(options, 12000, 0.01);
}

TEST(Logistic, ItsGradientIsThatOfTheMeanLoss) {
  ObjectiveOptions options;
  options.kind = "logistic";
  // The held-out set is a thousand samples: its own error is a few hundredths.
  expect_consistent(options, 30000, 0.06);
}

TEST(Logistic, HeterogeneityMovesTheWorkersGradientsApart) {
  const auto spread = [](double heterogeneity) {
    ObjectiveOptions options;
    options.kind = "logistic";
    options.heterogeneity = heterogeneity;
    options.batch = 64;
    const auto objective = make_objective(options, kWorkers, kDimension, 3);
    const std::vector<float> x(kDimension, 0.2F);
    Random random(1);
    std::vector<float> gradient(kDimension);
    std::vector<std::vector<double>> means(kWorkers, std::vector<double>(kDimension));
    for (int worker = 0; worker < kWorkers; ++worker) {
      for (int draw = 0; draw < 100; ++draw) {
        objective->gradient(worker, x.data(), gradient.data(), random);
        for (std::size_t k = 0; k < kDimension; ++k)
          means[static_cast<std::size_t>(worker)][k] += static_cast<double>(gradient[k]) / 100.0;
      }
    }
    double sum = 0.0;
    for (const auto& mean : means)
      for (std::size_t k = 0; k < kDimension; ++k)
        sum += (mean[k] - means[0][k]) * (mean[k] - means[0][k]);
    return sum;
  };
  EXPECT_GT(spread(4.0), 5.0 * spread(0.0));
}

TEST(Objective, RefusesWhatCannotBe) {
  ObjectiveOptions options;
  options.kind = "cubic";
  EXPECT_THROW(make_objective(options, 2, 4, 1), ConfigurationError);
  options = {};
  options.condition = 0.5;
  EXPECT_THROW(make_objective(options, 2, 4, 1), ConfigurationError);
  options = {};
  options.batch = 0;
  EXPECT_THROW(make_objective(options, 2, 4, 1), ConfigurationError);
  options = {};
  options.noise = -1.0;
  EXPECT_THROW(make_objective(options, 2, 4, 1), ConfigurationError);
}

}  // namespace
}  // namespace duet::simulation
