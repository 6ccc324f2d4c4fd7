#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

/// What every pass does to one element, written once for host and device: CUDA's kernels and the scalar
/// reference, against which the tests hold the passes of passes.h and of devices, are loops over these. A
/// pass is load(i), which reads all that it needs, and store(i, loaded), which computes and writes: a loop
/// may so load several elements before it stores the first. C++17, because that is what device compilers
/// speak.
///
/// Every operation is one float32 operation with one rounding, fused multiply-adds are written out, and bf16
/// is rounded in integers: the same bits wherever it is compiled (without contraction of its own:
/// -ffp-contract=off, -fmad=false).

#if defined(__CUDACC__)
#define DUET_HOST_DEVICE __host__ __device__
#else
#define DUET_HOST_DEVICE
#endif

namespace duet::dynamics {

/// How float32 values lie in memory. bf16 rounds to nearest, ties to even; a NaN stays one, and quiet.
struct Float32 {
  using Element = float;
  DUET_HOST_DEVICE static float load(const Element* from) { return *from; }
  DUET_HOST_DEVICE static void store(float value, Element* to) { *to = value; }
};

struct BFloat16 {
  using Element = std::uint16_t;
  DUET_HOST_DEVICE static float load(const Element* from) {
    const std::uint32_t bits = static_cast<std::uint32_t>(*from) << 16;
    float value = 0.0F;
    memcpy(&value, &bits, sizeof value);
    return value;
  }
  DUET_HOST_DEVICE static void store(float value, Element* to) {
    std::uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const std::uint32_t upper = bits >> 16;
    const bool is_nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
    *to = static_cast<Element>(is_nan ? (upper | 0x40U) : ((bits + 0x7FFFU + (upper & 1U)) >> 16));
  }
};

/// A value as parameters of type X can hold it, and what is left over for d: nothing in float32. In bf16 x +
/// d is the value exactly, so that corrections smaller than x's last place are not lost, but gather in d.
template <class X>
struct Held;

template <>
struct Held<Float32> {
  DUET_HOST_DEVICE static float rest(float, const float*) { return 0.0F; }
};

template <>
struct Held<BFloat16> {
  // Of an x that is not finite (a finite value may round to infinity) nothing sensible is left.
  DUET_HOST_DEVICE static float rest(float value, const BFloat16::Element* held) {
    const bool finite = (*held & 0x7F80U) != 0x7F80U;
    return finite ? value - BFloat16::load(held) : 0.0F;
  }
};

/// d += c·z, z ·= keep, s = x + d.
template <class X, class W>
struct SnapshotElement {
  const typename X::Element* x;
  float* d;
  float* z;
  typename W::Element* s;
  float c;
  float keep;  // 1 − 2c

  struct Loaded {
    float x, d, z;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {X::load(x + i), d[i], z[i]}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const {
    const float correction = fmaf(c, in.z, in.d);
    d[i] = correction;
    z[i] = keep * in.z;
    W::store(in.x + correction, s + i);
  }
};

/// s = x + d.
template <class X, class W>
struct PositionElement {
  const typename X::Element* x;
  const float* d;
  typename W::Element* s;

  struct Loaded {
    float x, d;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {X::load(x + i), d[i]}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const { W::store(in.x + in.d, s + i); }
};

/// m = s − r, d −= α·m, z −= β·m.
template <class W>
struct ApplyElement {
  float* d;
  float* z;
  const typename W::Element* s;
  const typename W::Element* r;
  float alpha;
  float beta;

  struct Loaded {
    float d, z, s, r;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {d[i], z[i], W::load(s + i), W::load(r + i)}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const {
    const float m = in.s - in.r;
    d[i] = fmaf(-alpha, m, in.d);
    z[i] = fmaf(-beta, m, in.z);
  }
};

/// m = s − r, d −= α·m.
template <class W>
struct PlainApplyElement {
  float* d;
  const typename W::Element* s;
  const typename W::Element* r;
  float alpha;

  struct Loaded {
    float d, s, r;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {d[i], W::load(s + i), W::load(r + i)}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const {
    d[i] = fmaf(-alpha, in.s - in.r, in.d);
  }
};

/// x += d, d = what x cannot hold.
template <class X>
struct DeliverElement {
  typename X::Element* x;
  float* d;

  struct Loaded {
    float x, d;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {X::load(x + i), d[i]}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const {
    const float position = in.x + in.d;
    X::store(position, x + i);
    d[i] = Held<X>::rest(position, x + i);
  }
};

/// x = value, d = what x cannot hold.
template <class X>
struct AssignElement {
  typename X::Element* x;
  float* d;
  const float* value;

  struct Loaded {
    float value;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {value[i]}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const {
    X::store(in.value, x + i);
    d[i] = Held<X>::rest(in.value, x + i);
  }
};

/// d += c·z, z ·= keep.
struct MixElement {
  float* d;
  float* z;
  float c;
  float keep;

  struct Loaded {
    float d, z;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {d[i], z[i]}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const {
    d[i] = fmaf(c, in.z, in.d);
    z[i] = keep * in.z;
  }
};

/// out = x + d + ½z, the two small terms first: one rounding at the size of x instead of two.
template <class X>
struct InvariantElement {
  const typename X::Element* x;
  const float* d;
  const float* z;
  float* out;

  struct Loaded {
    float x, d, z;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {X::load(x + i), d[i], z[i]}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const {
    out[i] = in.x + fmaf(0.5F, in.z, in.d);
  }
};

/// out = x, widened.
template <class X>
struct WidenElement {
  const typename X::Element* x;
  float* out;

  struct Loaded {
    float x;
  };
  DUET_HOST_DEVICE Loaded load(std::size_t i) const { return {X::load(x + i)}; }
  DUET_HOST_DEVICE void store(std::size_t i, const Loaded& in) const { out[i] = in.x; }
};

/// Element i's part of ‖s − r‖²: the float32 difference, squared in double.
template <class W>
struct SquaredDistanceElement {
  const typename W::Element* s;
  const typename W::Element* r;

  DUET_HOST_DEVICE double term(std::size_t i) const {
    const double m = W::load(s + i) - W::load(r + i);
    return m * m;
  }
};

}  // namespace duet::dynamics
