#pragma once

#include <cstddef>

#include "duet/buffer.h"

namespace duet::dynamics {

/// Parameters as they lie in memory: float32 or bf16. Where float32 goes without saying, a pointer will do.
struct Elements {
  Elements(float* x) : data(x) {}  // NOLINT(google-explicit-constructor)
  Elements(void* x, DType type) : data(x), dtype(type) {}

  Elements from(std::size_t first) const {
    return {static_cast<unsigned char*>(data) + first * size_of(dtype), dtype};
  }

  void* data;
  DType dtype = DType::kFloat32;
};

struct ConstElements {
  ConstElements(const float* x) : data(x) {}  // NOLINT(google-explicit-constructor)
  ConstElements(Elements other) : data(other.data), dtype(other.dtype) {}  // NOLINT
  ConstElements(const void* x, DType type) : data(x), dtype(type) {}

  const void* data;
  DType dtype = DType::kFloat32;
};

}  // namespace duet::dynamics
