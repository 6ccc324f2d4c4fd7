#pragma once

#include <cstddef>

#include "dynamics/choices.h"
#include "telemetry/sketch_row.h"

/// The passes as plain loops over the expressions that host and device share: what the passes of every SIMD
/// target and of every device are held against, and what the tests' device runs.
namespace duet::dynamics::reference {

/// All elements of one expression, one after the other.
struct Loop {
  std::size_t count;

  template <class Element>
  void operator()(const Element& element) const {
    for (std::size_t i = 0; i < count; ++i)
      element.store(i, element.load(i));
  }
};

inline void snapshot(ConstElements x, float* d, float* z, void* s, DType wire, std::size_t count, float c) {
  choose_snapshot(x, d, z, s, wire, c, Loop{count});
}
inline void apply(float* d, float* z, const void* s, const void* r, DType wire, std::size_t count,
                  float alpha, float beta) {
  choose_apply(d, z, s, r, wire, alpha, beta, Loop{count});
}
inline void deliver(Elements x, float* d, std::size_t count) {
  choose_deliver(x, d, Loop{count});
}
inline void assign(Elements x, float* d, const float* value, std::size_t count) {
  choose_assign(x, d, value, Loop{count});
}
inline void mix(float* d, float* z, std::size_t count, float c) {
  if (z != nullptr && c != 0.0F) Loop{count}(MixElement{d, z, c, 1.0F - 2.0F * c});
}
inline void invariant(ConstElements x, const float* d, const float* z, float* out, std::size_t count) {
  choose_invariant(x, d, z, out, Loop{count});
}
inline void widen(ConstElements x, float* out, std::size_t count) {
  choose_widen(x, out, Loop{count});
}
inline double squared_distance(const void* s, const void* r, DType wire, std::size_t count) {
  double sum = 0.0;
  choose_squared_distance(s, r, wire, [&](const auto& element) {
    for (std::size_t i = 0; i < count; ++i)
      sum += element.term(i);
  });
  return sum;
}
/// Adds to the 1,024 sums.
inline void sketch(std::uint64_t key, ConstElements x, const float* d, std::size_t offset, std::size_t count,
                   double* sums) {
  with_type(x.dtype, [&](auto type) {
    using X = decltype(type);
    const auto* const from = static_cast<const typename X::Element*>(x.data);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t row = (offset + i) / telemetry::kSketchSize;
      const std::size_t column = (offset + i) % telemetry::kSketchSize;
      const float value = d == nullptr ? X::load(from + i) : X::load(from + i) + d[i];
      sums[(column + telemetry::row_rotation(key, row)) % telemetry::kSketchSize] +=
          static_cast<double>(telemetry::signed_value(key, row, column, value));
    }
  });
}

}  // namespace duet::dynamics::reference
