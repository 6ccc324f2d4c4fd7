// A trainer whose steps cost the same processor time each, until it is killed: arithmetic in registers, so
// that neither caches nor sleeping have a say in what a step takes.

#include <duet/duet.h>

#include <cstdio>
#include <exception>
#include <vector>

namespace {

constexpr int kOperations = 1'000'000;  ///< each waits for the one before: about a millisecond

float busy(float value) {
  for (int i = 0; i < kOperations; ++i)
    value = value * 0.999F + 0.5F;
  return value;
}

}  // namespace

int main() try {
  std::vector<float> x(1000, 0.0F);
  duet::Worker worker(duet::Options::from_environment(),
                      {duet::Buffer{x.data(), x.size(), duet::DType::kFloat32, "x"}});
  float value = 0.0F;
  while (true) {
    value = busy(value);
    worker.step([&] { x[0] = value; });
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "steady_worker: %s\n", error.what());
  return 1;
}
