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

float read(const float* a, const float* b, std::size_t count) {
  const hn::ScalableTag<float> d;
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

}  // namespace
}  // namespace duet::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace duet::bench {

HWY_EXPORT(copy);
HWY_EXPORT(triad);
HWY_EXPORT(read);

void stream_copy(const float* from, float* to, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(copy)(from, to, count);
}

void stream_triad(const float* a, const float* b, float* to, std::size_t count) {
  HWY_DYNAMIC_DISPATCH(triad)(a, b, to, count);
}

float stream_read(const float* a, const float* b, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(read)(a, b, count);
}

}  // namespace duet::bench

#endif  // HWY_ONCE
