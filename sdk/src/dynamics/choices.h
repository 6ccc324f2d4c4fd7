#pragma once

#include <cstddef>

#include "dynamics/elements.h"
#include "dynamics/expressions.h"

/// Which element expression a pass is, by the types of parameters and wire and by whether there is momentum:
/// each calls run(element) with one of expressions.h. Shared by CUDA's kernels and the scalar reference, so
/// that the choice is written once, too. `stream`-less and pure; C++17.
namespace duet::dynamics {

template <class Run>
void with_type(DType type, const Run& run) {
  if (type == DType::kFloat32) {
    run(Float32());
  } else {
    run(BFloat16());
  }
}

template <class Run>
void choose_snapshot(ConstElements x, float* d, float* z, void* s, DType wire, float c, const Run& run) {
  with_type(x.dtype, [&](auto of_x) {
    with_type(wire, [&](auto of_wire) {
      using X = decltype(of_x);
      using W = decltype(of_wire);
      const auto* from = static_cast<const typename X::Element*>(x.data);
      auto* to = static_cast<typename W::Element*>(s);
      if (z != nullptr && c != 0.0F) {
        run(SnapshotElement<X, W>{from, d, z, to, c, 1.0F - 2.0F * c});
      } else {
        run(PositionElement<X, W>{from, d, to});
      }
    });
  });
}

template <class Run>
void choose_apply(float* d, float* z, const void* s, const void* r, DType wire, float alpha, float beta,
                  const Run& run) {
  with_type(wire, [&](auto of_wire) {
    using W = decltype(of_wire);
    const auto* mine = static_cast<const typename W::Element*>(s);
    const auto* theirs = static_cast<const typename W::Element*>(r);
    if (z != nullptr && beta != 0.0F) {
      run(ApplyElement<W>{d, z, mine, theirs, alpha, beta});
    } else {
      run(PlainApplyElement<W>{d, mine, theirs, alpha});
    }
  });
}

template <class Run>
void choose_deliver(Elements x, float* d, const Run& run) {
  with_type(x.dtype, [&](auto of_x) {
    using X = decltype(of_x);
    run(DeliverElement<X>{static_cast<typename X::Element*>(x.data), d});
  });
}

template <class Run>
void choose_assign(Elements x, float* d, const float* value, const Run& run) {
  with_type(x.dtype, [&](auto of_x) {
    using X = decltype(of_x);
    run(AssignElement<X>{static_cast<typename X::Element*>(x.data), d, value});
  });
}

template <class Run>
void choose_invariant(ConstElements x, const float* d, const float* z, float* out, const Run& run) {
  with_type(x.dtype, [&](auto of_x) {
    using X = decltype(of_x);
    const auto* from = static_cast<const typename X::Element*>(x.data);
    if (z != nullptr) {
      run(InvariantElement<X>{from, d, z, out});
    } else {
      run(PositionElement<X, Float32>{from, d, out});
    }
  });
}

template <class Run>
void choose_widen(ConstElements x, float* out, const Run& run) {
  with_type(x.dtype, [&](auto of_x) {
    using X = decltype(of_x);
    run(WidenElement<X>{static_cast<const typename X::Element*>(x.data), out});
  });
}

template <class Run>
void choose_squared_distance(const void* s, const void* r, DType wire, const Run& run) {
  with_type(wire, [&](auto of_wire) {
    using W = decltype(of_wire);
    run(SquaredDistanceElement<W>{static_cast<const typename W::Element*>(s),
                                  static_cast<const typename W::Element*>(r)});
  });
}

}  // namespace duet::dynamics
