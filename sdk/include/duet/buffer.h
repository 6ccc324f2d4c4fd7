#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace duet {

/// Element types of parameters and of the wire. With kBFloat16 parameters the arithmetic is float32, and what
/// an element cannot hold of a correction stays pending: x + d is the position, to float32's precision.
enum class DType : std::uint8_t { kFloat32, kBFloat16 };

constexpr std::size_t size_of(DType dtype) {
  return dtype == DType::kFloat32 ? 4 : 2;
}

/// What a buffer takes part in. Rank 0's values at the start and the exact mean at the end are for both.
enum class BufferRole : std::uint8_t {
  kParameters,  ///< every meeting, with the algorithm's momentum; counts in the consensus distance
  /// Plain averages of what training measured (batch-norm's running mean and variance): momentum would
  /// overshoot, a variance might turn negative. No momentum, not in the consensus distance; meetings as
  /// Buffer::every says.
  kStatistics,
};

/// Where a buffer's memory is.
enum class DeviceKind : std::uint8_t {
  kHost,
  kCuda,  ///< needs libduet_cuda.so (docs/cuda.md)
};

/// One flat run of parameters that the embedder owns, in host memory or on a device. It must outlive the
/// Worker. `name` goes into the schema that all workers must share, and into messages; where the memory is
/// does not: workers with and without devices may be in one run.
struct Buffer {
  void* data = nullptr;
  std::size_t count = 0;  ///< elements, not bytes
  DType dtype = DType::kFloat32;
  std::string name = {};
  /// What else the others must agree upon, e.g. the names and shapes of the tensors inside; compared, never
  /// parsed.
  std::string schema = {};
  BufferRole role = BufferRole::kParameters;
  /// kStatistics: averaged in every k-th meeting, on average (the meeting's token decides, so that both sides
  /// agree); 0: in none. Part of what all workers must agree upon.
  int every = 0;
  DeviceKind device = DeviceKind::kHost;
  int device_index = 0;  ///< kCuda: as cudaSetDevice() counts
  /// kCuda: the cudaStream_t in whose order the trainer works on this buffer; null: the default stream. All
  /// buffers of one device have the same one. See Worker::set_stream().
  void* stream = nullptr;
};

}  // namespace duet
