#include "bench/stream.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/stream.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace duet::bench::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

void copy(const float* from, float* to, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  for (; i < count; ++i)
    to[i] = from[i];
}

void triad(const float* a, const float* b, float* to, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto three = hn::Set(d, 3.0f);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::MulAdd(three, hn::LoadU(d, b + i), hn::LoadU(d, a + i)), d, to + i);
  }
  for (; i < count; ++i)
    to[i] = a[i] + 3.0f * b[i];
}

template <class D>
HWY_INLINE float sum_of_both(D d, const float* a, const float* b, std::size_t count) {
  const std::size_t lanes = hn::Lanes(d);
  auto sum_a = hn::Zero(d);
  auto sum_b = hn::Zero(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    sum_a = hn::Add(sum_a, hn::LoadU(d, a + i));
    sum_b = hn::Add(sum_b, hn::LoadU(d, b + i));
  }
  float tail = 0.0f;
  for (; i < count; ++i)
    tail += a[i] + b[i];
  return tail + hn::GetLane(hn::SumOfLanes(d, hn::Add(sum_a, sum_b)));
}

float read(const float* a, const float* b, std::size_t count) {
  return sum_of_both(hn::ScalableTag<float>(), a, b, count);
}

float read_narrow(const float* a, const float* b, std::size_t count) {
  return sum_of_both(hn::CappedTag<float, HWY_MAX_BYTES / sizeof(float) / 2>(), a, b, count);
}

// The factor is no whole number, so that nothing is optimised away, and so near to 1 that nothing fades.
void update(float* a, float* b, std::size_t count) {
  const hn::ScalableTag<float> d;
  const std::size_t lanes = hn::Lanes(d);
  const auto factor = hn::Set(d, 0.9999f);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Mul(factor, hn::LoadU(d, a + i)), d, a + i);
    hn::StoreU(hn::Mul(factor, hn::LoadU(d, b + i)), d, b + i);
  }
  for (; i < count; ++i) {
    a[i] *= 0.9999f;
    b[i] *= 0.9999f;
  }
}

}  // namespace
}  // namespace duet::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace duet::bench {

HWY_EXPORT(copy);
HWY_EXPORT(triad);
HWY_EXPORT(read);
HWY_EXPORT(read_narrow);
HWY_EXPORT(update);

void stream_copy(const float* from, float* to, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(copy)(from, to, count);
}

void stream_triad(const float* a, const float* b, float* to, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(triad)(a, b, to, count);
}

float stream_read(const float* a, const float* b, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(read)(a, b, count);
}

float stream_read_narrow(const float* a, const float* b, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(read_narrow)(a, b, count);
}

void stream_update(float* a, float* b, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(update)(a, b, count);
}

}  // namespace duet::bench

#endif  // HWY_ONCE
