// A trainer with its parameters on a CUDA device: everyone pulls them towards 1, each with noise of its own.
#include <cuda_runtime_api.h>
#include <duet/duet.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kSize = 10000;
constexpr std::size_t kBytes = kSize * sizeof(float);

void check(cudaError_t result) {
  if (result != cudaSuccess) throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(result));
}

}  // namespace

int main() try {
  std::vector<float> host(kSize, 0.0F);
  // Where there is no device there is none of its memory either, and Duet says what it misses.
  void* x = host.data();
  cudaStream_t stream = nullptr;
  if (cudaMalloc(&x, kBytes) == cudaSuccess) {
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    check(cudaMemsetAsync(x, 0, kBytes, stream));
  }

  duet::Buffer buffer{x, kSize};
  buffer.device = duet::DeviceKind::kCuda;
  buffer.stream = stream;
  duet::Worker worker(duet::Options::from_environment(), {buffer});

  std::mt19937 random(static_cast<unsigned>(worker.rank()));
  std::normal_distribution<float> noise(0.0F, 0.1F);
  for (int step = 0; step < 400; ++step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a gradient takes its time
    worker.step([&] {
      // In place of a kernel: on the host, in the order of the buffer's stream.
      check(cudaMemcpyAsync(host.data(), x, kBytes, cudaMemcpyDeviceToHost, stream));
      check(cudaStreamSynchronize(stream));
      for (auto& value : host)
        value -= 0.05F * (value - 1.0F + noise(random));
      check(cudaMemcpyAsync(x, host.data(), kBytes, cudaMemcpyHostToDevice, stream));
    });
  }
  const duet::FinishResult result = worker.finish();
  check(cudaMemcpyAsync(host.data(), x, kBytes, cudaMemcpyDeviceToHost, stream));
  check(cudaStreamSynchronize(stream));

  const auto end = static_cast<double>(host.front());
  if (!(std::abs(end - 1.0) < 0.1)) {
    std::fprintf(stderr, "rank %d ended at %f instead of 1\n", worker.rank(), end);
    return 1;
  }
  std::printf("rank %d of %d: %zu members, %llu meetings, ended at %.6f\n", worker.rank(),
              worker.world_size(), result.members.size(),
              static_cast<unsigned long long>(worker.statistics().meetings), end);
  return result.exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "device_trainer: %s\n", error.what());
  return 2;
}
