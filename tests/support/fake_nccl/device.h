#pragma once

#include <cuda.h>

#include <cstdint>
#include <mutex>

/// What the fake NCCL sees of the fake CUDA driver.
namespace fake {

/// Work counts, nothing else: how much was submitted, and how much of it is done.
struct Stream {
  std::mutex mutex;
  std::uint64_t submitted = 0;
  std::uint64_t completed = 0;
  bool failed = false;

  void submit();
  void complete();
  void fail();
};

Stream& stream_of(CUstream handle);
/// −1: no context is current in this thread.
int current_device();
/// Where the fakes find device memory: what cuMemAlloc() gave is there itself, what a test mapped is
/// elsewhere. Null: not all of it is device memory.
unsigned char* find_device_memory(const void* data, std::uint64_t bytes);

}  // namespace fake
