// A trainer without LibTorch: everyone pulls the parameters towards 1, each with noise of its own.
#include <duet/duet.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <random>
#include <thread>
#include <vector>

int main() try {
  std::vector<float> x(10000, 0.0F);
  duet::Worker worker(duet::Options::from_environment(), {duet::Buffer{x.data(), x.size()}});

  std::mt19937 random(static_cast<unsigned>(worker.rank()));
  std::normal_distribution<float> noise(0.0F, 0.1F);
  for (int step = 0; step < 400; ++step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a gradient takes its time
    worker.step([&] {
      for (auto& value : x)
        value -= 0.05F * (value - 1.0F + noise(random));
    });
  }
  const duet::FinishResult result = worker.finish();

  const auto end = static_cast<double>(x.front());
  if (!(std::abs(end - 1.0) < 0.1)) {
    std::fprintf(stderr, "rank %d ended at %f instead of 1\n", worker.rank(), end);
    return 1;
  }
  std::printf("rank %d of %d: %zu members, %llu meetings, ended at %.6f\n", worker.rank(),
              worker.world_size(), result.members.size(),
              static_cast<unsigned long long>(worker.statistics().meetings), end);
  return result.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "own_trainer: %s\n", error.what());
  return 2;
}
