// The smallest trainer: no LibTorch, a quadratic per worker, noisy gradients.
//
//   duet-quadratic [steps]                   alone: plain gradient descent
//   duet-run -n 8 duet-quadratic [steps]     eight workers that together find the mean of their eight targets
//
// Worker i minimises f_i(x) = ½ ‖x − b_i‖². The run's objective is the mean of all f_i; its minimum is the
// mean of the b_i.

#include <duet/duet.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <vector>

namespace {

constexpr int kSize = 1000;

std::vector<float> target_of(int rank) {
  std::mt19937 random(static_cast<unsigned>(rank) + 1U);
  std::normal_distribution<float> normal;
  std::vector<float> target(kSize);
  for (auto& value : target)
    value = normal(random);
  return target;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::pow(static_cast<double>(a[i] - b[i]), 2);
  return std::sqrt(sum);
}

}  // namespace

int main(int argc, char** argv) try {
  const int steps = argc > 1 ? std::atoi(argv[1]) : 2000;
  if (steps < 1) {
    std::fprintf(stderr, "duet-quadratic: steps must be a whole number from 1, not '%s'\n", argv[1]);
    return 2;
  }

  std::vector<float> x(kSize, 0.0F);
  duet::Worker worker(duet::Options::from_environment(),
                      {duet::Buffer{x.data(), x.size(), duet::DType::kFloat32, "x"}});

  const auto target = target_of(worker.rank());
  std::mt19937 random(static_cast<unsigned>(worker.rank()) + 1000U);
  std::normal_distribution<float> noise(0.0F, 0.1F);
  for (int step = 0; step < steps; ++step) {
    const float rate = 0.1F / (1.0F + 0.01F * static_cast<float>(step));
    worker.step([&] {
      for (std::size_t i = 0; i < x.size(); ++i)
        x[i] -= rate * (x[i] - target[i] + noise(random));
    });
  }
  const duet::FinishResult result = worker.finish();

  std::vector<float> optimum(kSize, 0.0F);
  for (const int rank : result.members) {
    const auto other = target_of(rank);
    for (std::size_t i = 0; i < optimum.size(); ++i)
      optimum[i] += other[i] / static_cast<float>(result.members.size());
  }
  if (result.lowest) {
    std::printf("%zu workers, %llu meetings of mine: started %.3f from the optimum, ended %.3f from it\n",
                result.members.size(), static_cast<unsigned long long>(worker.statistics().meetings),
                distance(std::vector<float>(kSize, 0.0F), optimum), distance(x, optimum));
  }
  return result.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "duet-quadratic: %s\n", error.what());
  return 2;
}
