#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "simulation/population.h"

namespace duet::simulation {
namespace {

constexpr std::size_t kDimension = 40;

MeetingCoefficients coefficients(double c, double beta) {
  MeetingCoefficients result;
  result.c = c;
  result.alpha_tilde_minus_alpha = beta;
  return result;
}

Population random_population(int workers, bool momentum, DType wire = DType::kFloat32) {
  Population all(workers, kDimension, momentum, wire);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (int worker = 0; worker < workers; ++worker)
    for (std::size_t k = 0; k < kDimension; ++k)
      all.x(worker)[k] = normal(random);
  return all;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t k = 0; k < a.size(); ++k)
    sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

TEST(Population, AMeetingIsTheEquationsOfTheDesign) {
  Population all = random_population(2, true);
  // Written out in double, for one element, twice: the second meeting has momentum to mix.
  const double c = 0.1, beta = 0.4;
  double x[2] = {all.position(0, 5), all.position(1, 5)}, z[2] = {0.0, 0.0};
  for (int meeting = 0; meeting < 2; ++meeting) {
    for (int side = 0; side < 2; ++side) {
      x[side] += c * z[side];
      z[side] *= 1.0 - 2.0 * c;
    }
    const double m = x[0] - x[1];
    x[0] -= 0.5 * m;
    x[1] += 0.5 * m;
    z[0] -= beta * m;
    z[1] += beta * m;
    all.meet(0, 1, coefficients(c, beta), coefficients(c, beta));
  }
  for (int side = 0; side < 2; ++side) {
    EXPECT_NEAR(all.position(side, 5), x[side], 1e-6);
    EXPECT_NEAR(all.invariant(side, 5), x[side] + 0.5 * z[side], 1e-6);
  }
}

TEST(Population, MeetingsLeaveTheInvariantsMeanWhereItWas) {
  for (const DType wire : {DType::kFloat32, DType::kBFloat16}) {
    Population all = random_population(5, true, wire);
    const std::vector<double> before = all.mean_invariant();
    std::mt19937 random(1);
    std::uniform_real_distribution<double> c(0.0, 0.3);
    for (int meeting = 0; meeting < 200; ++meeting) {
      const int i = static_cast<int>(random() % 5), j = (i + 1 + static_cast<int>(random() % 4)) % 5;
      all.meet(i, j, coefficients(c(random), 0.5), coefficients(c(random), 0.5));
      if (meeting % 7 == 0) all.deliver(i);
    }
    EXPECT_LT(distance(all.mean_invariant(), before), 1e-5);
  }
}

TEST(Population, ATornMeetingMovesTheInvariantByWhatWasInFlightAndNoMore) {
  Population whole = random_population(2, true);
  const Population start = whole;
  const Population::Torn none{10, 0};
  whole.meet(0, 1, coefficients(0.1, 0.4), coefficients(0.1, 0.4), &none);
  EXPECT_LT(distance(whole.mean_invariant(), start.mean_invariant()), 1e-6);
  EXPECT_NE(whole.position(0, 9), start.position(0, 9));
  EXPECT_EQ(whole.position(0, 10), start.position(0, 10));

  Population torn = start;
  const Population::Torn flight{10, 4};
  torn.meet(0, 1, coefficients(0.1, 0.4), coefficients(0.1, 0.4), &flight);
  const std::vector<double> mean = torn.mean_invariant(), before = start.mean_invariant();
  for (std::size_t k = 0; k < kDimension; ++k) {
    // α + ½(α̃ − α) of the difference, on one side of two.
    const double m = start.position(0, k) - start.position(1, k);
    EXPECT_NEAR(mean[k] - before[k], k >= 10 && k < 14 ? -0.5 * 0.7 * m : 0.0, 1e-6) << k;
  }
}

TEST(Population, GossipIsSimultaneousAndKeepsTheMean) {
  Population all = random_population(3, false);
  const Population before = all;
  all.gossip({{0, 1, 0.25}, {1, 2, 0.25}});
  for (std::size_t k = 0; k < kDimension; ++k) {
    const double x[3] = {before.position(0, k), before.position(1, k), before.position(2, k)};
    EXPECT_NEAR(all.position(0, k), x[0] - 0.25 * (x[0] - x[1]), 1e-6);
    EXPECT_NEAR(all.position(1, k), x[1] - 0.25 * (x[1] - x[0]) - 0.25 * (x[1] - x[2]), 1e-6);
    EXPECT_NEAR(all.position(2, k), x[2] - 0.25 * (x[2] - x[1]), 1e-6);
  }
}

TEST(Population, TheDeadDoNotCount) {
  Population all(3, 1, false, DType::kFloat32);
  all.x(0)[0] = 1.0F;
  all.x(1)[0] = 3.0F;
  all.x(2)[0] = 1000.0F;
  all.lose(2);
  all.lose(2);
  EXPECT_EQ(all.members(), 2);
  EXPECT_EQ(all.mean_position()[0], 2.0);
  EXPECT_EQ(all.squared_distance(), 1.0);
  all.gossip({{1, 2, 0.25}});
  EXPECT_EQ(all.position(1, 0), 3.0);
}

}  // namespace
}  // namespace duet::simulation
