// The smallest trainer: no LibTorch, a quadratic, noisy gradients.
//
//   duet-quadratic [steps]                   alone: plain stochastic gradient descent
//   duet-run -n 8 duet-quadratic [steps]     eight workers, each with noise of its own, that average it away
//
// Everyone minimises ½ ‖x − b‖², and knows only its gradient with noise.

#include <duet/duet.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <random>
#include <thread>
#include <vector>

#include "steps.h"

namespace {

constexpr int kSize = 1000;

std::vector<float> make_target() {
  std::mt19937 random(1);
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
  const int steps = samples::steps_from(argc, argv, "duet-quadratic");

  std::vector<float> x(kSize, 0.0F);
  duet::Worker worker(duet::Options::from_environment(),
                      {duet::Buffer{x.data(), x.size(), duet::DType::kFloat32, "x"}});

  const auto target = make_target();
  std::mt19937 random(static_cast<unsigned>(worker.rank()) + 1000U);
  std::normal_distribution<float> noise(0.0F, 1.0F);
  for (int step = 0; step < steps; ++step) {
    // A real gradient takes its time, and meetings happen meanwhile.
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    const float rate = 0.1F / (1.0F + 0.01F * static_cast<float>(step));
    worker.step([&] {
      for (std::size_t i = 0; i < x.size(); ++i)
        x[i] -= rate * (x[i] - target[i] + noise(random));
    });
  }
  const duet::FinishResult result = worker.finish();

  if (result.lowest) {
    std::printf("%zu workers, %llu meetings of mine: started %.3f from the optimum, ended %.3f from it\n",
                result.members.size(), static_cast<unsigned long long>(worker.statistics().meetings),
                distance(std::vector<float>(kSize, 0.0F), target), distance(x, target));
  }
  return result.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "duet-quadratic: %s\n", error.what());
  return 2;
}
