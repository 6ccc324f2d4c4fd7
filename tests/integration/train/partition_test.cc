#include "partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "duet/error.h"

namespace {

std::vector<int> labels(int classes, int each) {
  std::vector<int> all;
  for (int k = 0; k < classes * each; ++k)
    all.push_back(k % classes);
  return all;
}

/// The mean worker's largest share of one label.
double unevenness(double alpha) {
  const std::vector<int> all = labels(10, 500);
  const auto parts = samples::dirichlet_partition(all, 8, alpha, 1);
  double sum = 0.0;
  for (const auto& part : parts) {
    std::vector<double> count(10, 0.0);
    for (const std::size_t sample : part)
      count[static_cast<std::size_t>(all[sample])] += 1.0;
    sum += *std::max_element(count.begin(), count.end()) / static_cast<double>(part.size());
  }
  return sum / 8.0;
}

TEST(Dirichlet, EverySampleIsSomebodysAndNobodyGoesEmpty) {
  for (const double alpha : {1e-6, 0.1, 1.0, 100.0}) {
    for (const int workers : {1, 7, 20}) {
      const auto parts = samples::dirichlet_partition(labels(4, 5), workers, alpha, 3);
      ASSERT_EQ(parts.size(), static_cast<std::size_t>(workers));
      std::set<std::size_t> seen;
      std::size_t count = 0;
      for (const auto& part : parts) {
        EXPECT_FALSE(part.empty()) << alpha << ", " << workers;
        seen.insert(part.begin(), part.end());
        count += part.size();
      }
      EXPECT_EQ(seen.size(), 20u);
      EXPECT_EQ(count, 20u);
    }
  }
}

TEST(Dirichlet, SmallAlphaIsUnequalAndLargeAlphaIsNot) {
  EXPECT_GT(unevenness(0.05), 0.5);
  EXPECT_LT(unevenness(1000.0), 0.13);
}

TEST(Dirichlet, IsTheSameOnAllWorkersAndAnotherForAnotherSeed) {
  const std::vector<int> all = labels(10, 50);
  EXPECT_EQ(samples::dirichlet_partition(all, 4, 0.3, 5), samples::dirichlet_partition(all, 4, 0.3, 5));
  EXPECT_NE(samples::dirichlet_partition(all, 4, 0.3, 5), samples::dirichlet_partition(all, 4, 0.3, 6));
}

TEST(Dirichlet, RefusesWhatCannotBe) {
  EXPECT_THROW(samples::dirichlet_partition(labels(2, 2), 5, 1.0, 1), duet::ConfigurationError);
  for (const double alpha : {0.0, -1.0, std::nan(""), static_cast<double>(INFINITY)})
    EXPECT_THROW(samples::dirichlet_partition(labels(2, 2), 2, alpha, 1), duet::ConfigurationError);
}

}  // namespace
