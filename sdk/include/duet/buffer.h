#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace duet {

/// Element types of parameters and of the wire. Parameters are kFloat32; the wire may be narrower.
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

/// One flat run of parameters that the embedder owns. It must outlive the Worker. `name` goes into the schema
/// that all workers must share, and into messages.
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
};

}  // namespace duet
