// From positions to the run's consensus distance: sketches, the tree, and back.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tick_network.h"

namespace duet::telemetry {
namespace {

struct SpreadRun {
  std::vector<std::vector<float>> x, d;
  double consensus_distance = 0.0;
  std::vector<double> distances_to_mean;
};

// Workers spread about a common model, some farther than others, and in some runs along few directions only.
SpreadRun random_run(int workers, std::size_t elements, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  SpreadRun run;
  std::vector<float> common(elements);
  for (float& value : common)
    value = 3.0f * normal(engine);
  std::vector<double> mean(elements, 0.0);
  const float spread = std::pow(10.0f, static_cast<float>(seed % 5) - 3.0f);
  for (int i = 0; i < workers; ++i) {
    std::vector<float> x(elements), d(elements);
    const float own = spread * (1.0f + static_cast<float>(i % 4));
    const bool narrow = seed % 3 == 0;
    for (std::size_t k = 0; k < elements; ++k) {
      const float offset = narrow && k % 50 != 0 ? 0.0f : own * normal(engine);
      x[k] = common[k];
      d[k] = offset;
      mean[k] += static_cast<double>(x[k] + d[k]) / workers;
    }
    run.x.push_back(std::move(x));
    run.d.push_back(std::move(d));
  }
  double total = 0.0;
  for (std::size_t i = 0; i < run.x.size(); ++i) {
    double squares = 0.0;
    for (std::size_t k = 0; k < elements; ++k) {
      const double difference = static_cast<double>(run.x[i][k] + run.d[i][k]) - mean[k];
      squares += difference * difference;
    }
    run.distances_to_mean.push_back(std::sqrt(squares));
    total += squares / workers;
  }
  run.consensus_distance = std::sqrt(total);
  return run;
}

TEST(ConsensusDistance, OfSixtyFourPositionsIsWithinTenPercent) {
  const int workers = 64;
  for (unsigned seed = 0; seed < 15; ++seed) {
    const SpreadRun run = random_run(workers, 12'345, seed);
    TickNetwork network(ring_parents(workers));
    for (int i = 0; i < workers; ++i) {
      const auto& x = run.x[static_cast<std::size_t>(i)];
      const auto& d = run.d[static_cast<std::size_t>(i)];
      Sketcher sketcher(1000 + seed);
      sketcher.add(x.data(), d.data(), 0, 5000);
      sketcher.add(x.data() + 5000, d.data() + 5000, 5000, x.size() - 5000);
      control::TickSums own;
      own.tick = 42;
      own.sketch = sketcher.values();
      network.own(i, own);
    }
    network.deliver_all();
    for (int i = 0; i < workers; ++i) {
      const RunStatus status = network.of(i).take_completed().at(0);
      EXPECT_NEAR(status.consensus_distance / run.consensus_distance, 1.0, 0.1) << "seed " << seed;
      EXPECT_NEAR(status.distance_to_mean / run.distances_to_mean[static_cast<std::size_t>(i)], 1.0, 0.15)
          << "worker " << i << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace duet::telemetry
