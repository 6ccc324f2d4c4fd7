#include "dynamics/passes.h"

#include <cstdint>
#include <cstring>

#include "duet/error.h"
#include "dynamics/simd_target.h"
#include "hwy/cache_control.h"

// Highway compiles what stands between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE once per SIMD target, by
// including this file again, and HWY_DYNAMIC_DISPATCH picks the processor's best at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "dynamics/passes.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace duet::dynamics::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// How elements look on the wire. Both read vectors of float32; store() rounds.
struct Float32Wire {
  using Element = float;

  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const Element* from) {
    return hn::LoadU(d, from);
  }
  template <class D>
  static HWY_INLINE void store(D d, hn::Vec<D> value, Element* to) {
    hn::StoreU(value, d, to);
  }
};

struct BFloat16Wire {
  using Element = std::uint16_t;

  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const Element* from) {
    const hn::Rebind<std::uint16_t, D> half;
    const hn::Rebind<std::uint32_t, D> bits;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(bits, hn::LoadU(half, from))));
  }
  // In integers, the same on every target: to nearest, ties to even. A NaN would be carried into infinity by
  // the rounding, or lose all its payload: it is cut off and made quiet.
  template <class D>
  static HWY_INLINE void store(D, hn::Vec<D> value, Element* to) {
    const hn::Rebind<std::uint16_t, D> half;
    const hn::Rebind<std::uint32_t, D> bits;
    const hn::Rebind<std::int32_t, D> integers;
    const auto whole = hn::BitCast(bits, value);
    const auto upper = hn::ShiftRight<16>(whole);
    const auto odd = hn::And(upper, hn::Set(bits, 1));
    const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(whole, hn::Set(bits, 0x7FFF)), odd));
    const auto quiet = hn::Or(upper, hn::Set(bits, 0x40));
    // Not value != value: Highway 1.0's Ne is an ordered comparison on some targets, false for NaN.
    const auto magnitude = hn::BitCast(integers, hn::And(whole, hn::Set(bits, 0x7FFFFFFF)));
    const auto is_nan = hn::RebindMask(bits, hn::Gt(magnitude, hn::Set(integers, 0x7F800000)));
    hn::StoreU(hn::DemoteTo(half, hn::BitCast(integers, hn::IfThenElse(is_nan, quiet, rounded))), half, to);
  }
};

// Runs pass(d, i) over all elements: whole vectors, two at a time, then single lanes of the same target, so
// that the rounding of an element does not depend on where it lies.
template <class Pass>
HWY_INLINE void sweep(const Pass& pass, std::size_t count) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    pass(d, i);
    pass(d, i + lanes);
  }
  for (; i < count; ++i)
    pass(single, i);
}

template <class X, class Wire>
struct SnapshotPass {
  const typename X::Element* x;
  float* d;
  float* z;
  typename Wire::Element* s;
  float c;
  float keep;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    const auto momentum = hn::LoadU(tag, z + i);
    const auto correction = hn::MulAdd(hn::Set(tag, c), momentum, hn::LoadU(tag, d + i));
    const auto position = hn::Add(X::load(tag, x + i), correction);
    hn::StoreU(correction, tag, d + i);
    hn::StoreU(hn::Mul(hn::Set(tag, keep), momentum), tag, z + i);
    Wire::store(tag, position, s + i);
  }
};

template <class X, class Wire>
struct PositionPass {
  const typename X::Element* x;
  const float* d;
  typename Wire::Element* s;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    Wire::store(tag, hn::Add(X::load(tag, x + i), hn::LoadU(tag, d + i)), s + i);
  }
};

template <class Wire>
struct ApplyPass {
  float* d;
  float* z;
  const typename Wire::Element* s;
  const typename Wire::Element* r;
  float alpha;
  float beta;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    const auto m = hn::Sub(Wire::load(tag, s + i), Wire::load(tag, r + i));
    hn::StoreU(hn::NegMulAdd(hn::Set(tag, alpha), m, hn::LoadU(tag, d + i)), tag, d + i);
    hn::StoreU(hn::NegMulAdd(hn::Set(tag, beta), m, hn::LoadU(tag, z + i)), tag, z + i);
  }
};

template <class Wire>
struct PlainApplyPass {
  float* d;
  const typename Wire::Element* s;
  const typename Wire::Element* r;
  float alpha;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    const auto m = hn::Sub(Wire::load(tag, s + i), Wire::load(tag, r + i));
    hn::StoreU(hn::NegMulAdd(hn::Set(tag, alpha), m, hn::LoadU(tag, d + i)), tag, d + i);
  }
};

struct DeliverPass {
  float* x;
  float* d;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    hn::StoreU(hn::Add(hn::LoadU(tag, x + i), hn::LoadU(tag, d + i)), tag, x + i);
    hn::StoreU(hn::Zero(tag), tag, d + i);
  }
};

// What x could not hold of its new value; of one that is not finite (a finite one may round to infinity)
// nothing sensible is left.
template <class D>
HWY_INLINE hn::Vec<D> rest_of(D tag, hn::Vec<D> value, const std::uint16_t* held) {
  const hn::Rebind<std::uint32_t, D> bits;
  const hn::Rebind<std::int32_t, D> integers;
  const auto rounded = BFloat16Wire::load(tag, held);
  const auto magnitude =
      hn::BitCast(integers, hn::And(hn::BitCast(bits, rounded), hn::Set(bits, 0x7FFFFFFF)));
  const auto finite = hn::RebindMask(tag, hn::Lt(magnitude, hn::Set(integers, 0x7F800000)));
  return hn::IfThenElseZero(finite, hn::Sub(value, rounded));
}

struct DeliverBFloat16Pass {
  std::uint16_t* x;
  float* d;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    const auto position = hn::Add(BFloat16Wire::load(tag, x + i), hn::LoadU(tag, d + i));
    BFloat16Wire::store(tag, position, x + i);
    hn::StoreU(rest_of(tag, position, x + i), tag, d + i);
  }
};

struct AssignBFloat16Pass {
  std::uint16_t* x;
  float* d;
  const float* value;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    const auto given = hn::LoadU(tag, value + i);
    BFloat16Wire::store(tag, given, x + i);
    hn::StoreU(rest_of(tag, given, x + i), tag, d + i);
  }
};

struct WidenPass {
  const std::uint16_t* x;
  float* out;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    hn::StoreU(BFloat16Wire::load(tag, x + i), tag, out + i);
  }
};

struct MixPass {
  float* d;
  float* z;
  float c;
  float keep;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    const auto momentum = hn::LoadU(tag, z + i);
    hn::StoreU(hn::MulAdd(hn::Set(tag, c), momentum, hn::LoadU(tag, d + i)), tag, d + i);
    hn::StoreU(hn::Mul(hn::Set(tag, keep), momentum), tag, z + i);
  }
};

template <class X>
struct InvariantPass {
  const typename X::Element* x;
  const float* d;
  const float* z;
  float* out;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    // The two small terms first: one rounding at the size of x instead of two.
    const auto offset = hn::MulAdd(hn::Set(tag, 0.5f), hn::LoadU(tag, z + i), hn::LoadU(tag, d + i));
    hn::StoreU(hn::Add(X::load(tag, x + i), offset), tag, out + i);
  }
};

struct AccumulatePass {
  float* sum;
  const float* term;

  template <class D>
  HWY_INLINE void operator()(D tag, std::size_t i) const {
    hn::StoreU(hn::Add(hn::LoadU(tag, sum + i), hn::LoadU(tag, term + i)), tag, sum + i);
  }
};

template <class X, class Wire>
void snapshot_as(const typename X::Element* x, float* d, float* z, void* s, std::size_t count, float c) {
  auto* const out = static_cast<typename Wire::Element*>(s);
  if (z != nullptr && c != 0.0f) {
    sweep(SnapshotPass<X, Wire>{x, d, z, out, c, 1.0f - 2.0f * c}, count);
  } else {
    sweep(PositionPass<X, Wire>{x, d, out}, count);
  }
}

template <class Wire>
void apply_as(float* d, float* z, const void* s, const void* r, std::size_t count, float alpha, float beta) {
  const auto* const mine = static_cast<const typename Wire::Element*>(s);
  const auto* const theirs = static_cast<const typename Wire::Element*>(r);
  if (z != nullptr && beta != 0.0f) {
    sweep(ApplyPass<Wire>{d, z, mine, theirs, alpha, beta}, count);
  } else {
    sweep(PlainApplyPass<Wire>{d, mine, theirs, alpha}, count);
  }
}

// s − r of four vectors, in whatever order of elements is cheapest.
template <class Wire, class D>
HWY_INLINE void subtract_four(Wire, D d, const typename Wire::Element* s, const typename Wire::Element* r,
                              hn::Vec<D>& m0, hn::Vec<D>& m1, hn::Vec<D>& m2, hn::Vec<D>& m3) {
  const std::size_t lanes = hn::Lanes(d);
  m0 = hn::Sub(Wire::load(d, s), Wire::load(d, r));
  m1 = hn::Sub(Wire::load(d, s + lanes), Wire::load(d, r + lanes));
  m2 = hn::Sub(Wire::load(d, s + 2 * lanes), Wire::load(d, r + 2 * lanes));
  m3 = hn::Sub(Wire::load(d, s + 3 * lanes), Wire::load(d, r + 3 * lanes));
}

#if DUET_FIXED_VECTORS
// Those with even numbers, then those with odd ones: none needs to be moved to where its float will be.
// Prefetches of half as many lines cost nothing in cache.
template <class D>
HWY_INLINE void subtract_four(BFloat16Wire, D d, const std::uint16_t* s, const std::uint16_t* r,
                              hn::Vec<D>& m0, hn::Vec<D>& m1, hn::Vec<D>& m2, hn::Vec<D>& m3) {
  constexpr std::size_t kAhead = 256;
  hwy::Prefetch(s + kAhead);
  hwy::Prefetch(r + kAhead);
  const hn::Twice<D> two;
  const hn::Repartition<std::uint16_t, decltype(two)> half;
  const hn::Repartition<std::uint32_t, decltype(two)> bits;
  const auto odd = hn::Set(bits, 0xFFFF0000U);
  const auto mine = hn::BitCast(bits, hn::LoadU(half, s));
  const auto theirs = hn::BitCast(bits, hn::LoadU(half, r));
  const auto evens =
      hn::Sub(hn::BitCast(two, hn::ShiftLeft<16>(mine)), hn::BitCast(two, hn::ShiftLeft<16>(theirs)));
  const auto odds = hn::Sub(hn::BitCast(two, hn::And(mine, odd)), hn::BitCast(two, hn::And(theirs, odd)));
  m0 = hn::LowerHalf(d, evens);
  m1 = hn::UpperHalf(d, evens);
  m2 = hn::LowerHalf(d, odds);
  m3 = hn::UpperHalf(d, odds);
}
#endif

template <class D>
HWY_INLINE hn::Vec<D> add_square(D d, hn::Vec<hn::Rebind<float, D>> m, hn::Vec<D> sum) {
  const auto wide = hn::PromoteTo(d, m);
  return hn::MulAdd(wide, wide, sum);
}

// No software prefetch of float32: in a meeting both blocks are in cache, where prefetches alone cost a
// quarter of the time. Squares in double: a float32 square overflows from 2e19 and vanishes below 1e-23, and
// a float32 sum of 25 million squares has few digits left. Over several sums, because one would wait for each
// addition's latency.
template <class Wire>
double squared_distance_as(const void* s, const void* r, std::size_t count) {
  const auto* const mine = static_cast<const typename Wire::Element*>(s);
  const auto* const theirs = static_cast<const typename Wire::Element*>(r);
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> narrow;
  const std::size_t step = 4 * hn::Lanes(d);
  auto sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  auto m0 = hn::Zero(narrow), m1 = m0, m2 = m0, m3 = m0;
  std::size_t i = 0;
  for (; i + step <= count; i += step) {
    subtract_four(Wire(), narrow, mine + i, theirs + i, m0, m1, m2, m3);
    sum0 = add_square(d, m0, sum0);
    sum1 = add_square(d, m1, sum1);
    sum2 = add_square(d, m2, sum2);
    sum3 = add_square(d, m3, sum3);
  }
  const hn::CappedTag<float, 1> single;
  double tail = 0.0;
  for (; i < count; ++i) {
    const double m = hn::GetLane(hn::Sub(Wire::load(single, mine + i), Wire::load(single, theirs + i)));
    tail += m * m;
  }
  return tail + hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))));
}

void snapshot_pass(const float* x, float* d, float* z, void* s, DType wire, std::size_t count, float c) {
  wire == DType::kFloat32 ? snapshot_as<Float32Wire, Float32Wire>(x, d, z, s, count, c)
                          : snapshot_as<Float32Wire, BFloat16Wire>(x, d, z, s, count, c);
}

void snapshot_bfloat16_pass(const std::uint16_t* x, float* d, float* z, void* s, DType wire,
                            std::size_t count, float c) {
  wire == DType::kFloat32 ? snapshot_as<BFloat16Wire, Float32Wire>(x, d, z, s, count, c)
                          : snapshot_as<BFloat16Wire, BFloat16Wire>(x, d, z, s, count, c);
}

double squared_distance_pass(const void* s, const void* r, DType wire, std::size_t count) {
  return wire == DType::kFloat32 ? squared_distance_as<Float32Wire>(s, r, count)
                                 : squared_distance_as<BFloat16Wire>(s, r, count);
}

void apply_pass(float* d, float* z, const void* s, const void* r, DType wire, std::size_t count, float alpha,
                float beta) {
  wire == DType::kFloat32 ? apply_as<Float32Wire>(d, z, s, r, count, alpha, beta)
                          : apply_as<BFloat16Wire>(d, z, s, r, count, alpha, beta);
}

void deliver_pass(float* x, float* d, std::size_t count) {
  sweep(DeliverPass{x, d}, count);
}

void deliver_bfloat16_pass(std::uint16_t* x, float* d, std::size_t count) {
  sweep(DeliverBFloat16Pass{x, d}, count);
}

void assign_bfloat16_pass(std::uint16_t* x, float* d, const float* value, std::size_t count) {
  sweep(AssignBFloat16Pass{x, d, value}, count);
}

void widen_pass(const std::uint16_t* x, float* out, std::size_t count) {
  sweep(WidenPass{x, out}, count);
}

void mix_pass(float* d, float* z, std::size_t count, float c) {
  sweep(MixPass{d, z, c, 1.0f - 2.0f * c}, count);
}

template <class X>
void invariant_as(const typename X::Element* x, const float* d, const float* z, float* out,
                  std::size_t count) {
  if (z != nullptr) {
    sweep(InvariantPass<X>{x, d, z, out}, count);
  } else {
    sweep(PositionPass<X, Float32Wire>{x, d, out}, count);
  }
}

void invariant_pass(ConstElements x, const float* d, const float* z, float* out, std::size_t count) {
  if (x.dtype == DType::kFloat32) {
    invariant_as<Float32Wire>(static_cast<const float*>(x.data), d, z, out, count);
  } else {
    invariant_as<BFloat16Wire>(static_cast<const std::uint16_t*>(x.data), d, z, out, count);
  }
}

void accumulate_pass(float* sum, const float* term, std::size_t count) {
  sweep(AccumulatePass{sum, term}, count);
}

std::int64_t target_of_this_build() {
  return HWY_TARGET;
}

}  // namespace
}  // namespace duet::dynamics::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace duet::dynamics {
namespace {

HWY_EXPORT(snapshot_pass);
HWY_EXPORT(snapshot_bfloat16_pass);
HWY_EXPORT(deliver_bfloat16_pass);
HWY_EXPORT(assign_bfloat16_pass);
HWY_EXPORT(widen_pass);
HWY_EXPORT(squared_distance_pass);
HWY_EXPORT(apply_pass);
HWY_EXPORT(deliver_pass);
HWY_EXPORT(mix_pass);
HWY_EXPORT(invariant_pass);
HWY_EXPORT(accumulate_pass);
HWY_EXPORT(target_of_this_build);

// As the processor has them, whatever is forced later.
const std::vector<std::int64_t>& supported_targets() {
  static const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  return targets;
}

}  // namespace

void snapshot(ConstElements x, float* d, float* z, void* s, DType wire, std::size_t count, float c) {
  if (x.dtype == DType::kFloat32) {
    HWY_DYNAMIC_DISPATCH(snapshot_pass)(static_cast<const float*>(x.data), d, z, s, wire, count, c);
  } else {
    HWY_DYNAMIC_DISPATCH(snapshot_bfloat16_pass)
    (static_cast<const std::uint16_t*>(x.data), d, z, s, wire, count, c);
  }
}

double squared_distance(const void* s, const void* r, DType wire, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(squared_distance_pass)(s, r, wire, count);
}

void apply(float* d, float* z, const void* s, const void* r, DType wire, std::size_t count, float alpha,
           float beta) {
  HWY_DYNAMIC_DISPATCH(apply_pass)(d, z, s, r, wire, count, alpha, beta);
}

void deliver(Elements x, float* d, std::size_t count) {
  if (x.dtype == DType::kFloat32) {
    HWY_DYNAMIC_DISPATCH(deliver_pass)(static_cast<float*>(x.data), d, count);
  } else {
    HWY_DYNAMIC_DISPATCH(deliver_bfloat16_pass)(static_cast<std::uint16_t*>(x.data), d, count);
  }
}

void assign(Elements x, float* d, const float* value, std::size_t count) {
  if (x.dtype == DType::kFloat32) {
    std::memcpy(x.data, value, count * sizeof(float));
    std::memset(d, 0, count * sizeof(float));
  } else {
    HWY_DYNAMIC_DISPATCH(assign_bfloat16_pass)(static_cast<std::uint16_t*>(x.data), d, value, count);
  }
}

void widen(ConstElements x, float* out, std::size_t count) {
  if (x.dtype == DType::kFloat32) {
    std::memcpy(out, x.data, count * sizeof(float));
  } else {
    HWY_DYNAMIC_DISPATCH(widen_pass)(static_cast<const std::uint16_t*>(x.data), out, count);
  }
}

void mix(float* d, float* z, std::size_t count, float c) {
  if (z != nullptr && c != 0.0f) HWY_DYNAMIC_DISPATCH(mix_pass)(d, z, count, c);
}

void invariant(ConstElements x, const float* d, const float* z, float* out, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(invariant_pass)(x, d, z, out, count);
}

void accumulate(float* sum, const float* term, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(accumulate_pass)(sum, term, count);
}

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : supported_targets())
    names.emplace_back(hwy::TargetName(target));
  return names;
}

std::string simd_target_in_use() {
  return hwy::TargetName(HWY_DYNAMIC_DISPATCH(target_of_this_build)());
}

void force_simd_target(std::string_view name) {
  std::int64_t mask = 0;  // Highway's "all that the processor has"
  std::string names;
  for (const std::int64_t target : supported_targets()) {
    if (name == hwy::TargetName(target)) mask = target;
    names += std::string(names.empty() ? "" : ", ") + hwy::TargetName(target);
  }
  if (mask == 0 && !name.empty()) {
    throw ConfigurationError("SIMD target \"" + std::string(name) +
                             "\" cannot run here; this processor has: " + names);
  }
  hwy::SetSupportedTargetsForTest(mask);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace duet::dynamics

#endif  // HWY_ONCE
