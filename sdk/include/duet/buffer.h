#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace duet {

/// Element types of parameters and of the wire. Parameters are kFloat32; the wire may be narrower.
enum class DType : std::uint8_t { kFloat32, kBFloat16 };

constexpr std::size_t size_of(DType dtype) { return dtype == DType::kFloat32 ? 4 : 2; }

/// One flat run of parameters that the embedder owns. It must outlive the Worker. `name` goes into the schema that
/// all workers must share, and into messages.
struct Buffer {
  void* data = nullptr;
  std::size_t count = 0;  ///< elements, not bytes
  DType dtype = DType::kFloat32;
  std::string name = {};
  /// What else the others must agree upon, e.g. the names and shapes of the tensors inside; compared, never parsed.
  std::string schema = {};
};

}  // namespace duet
