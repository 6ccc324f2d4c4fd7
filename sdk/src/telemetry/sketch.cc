#include "telemetry/sketch.h"

#include <algorithm>

#include "dynamics/passes.h"
#include "dynamics/simd_target.h"
#include "hwy/cache_control.h"
#include "telemetry/sketch_row.h"

// Compiled once per SIMD target, chosen at run time: see dynamics/passes.cc.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "telemetry/sketch.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

// What does not depend on the target, also when this file is included again.
#ifndef DUET_TELEMETRY_SKETCH_ROW
#define DUET_TELEMETRY_SKETCH_ROW
namespace duet::telemetry {
namespace {

static_assert(kSketchStep == Sketcher::kStep);

// The randomness of one row (sketch_row.h), drawn once for all of its elements.
struct Row {
  Row(std::uint64_t key, std::uint64_t index) : rotation(row_rotation(key, index)) {
    for (std::size_t group = 0; group < kSketchGroups; ++group) {
      for (std::size_t lane = 0; lane < kSketchStep; lane += 2) {
        const std::uint64_t bits = row_draw(key, index, group * (kSketchStep / 2) + lane / 2 + 1);
        signs[group][lane] = static_cast<std::uint32_t>(bits);
        signs[group][lane + 1] = static_cast<std::uint32_t>(bits >> 32);
      }
    }
  }

  alignas(64) std::uint32_t signs[kSketchGroups][kSketchStep];
  std::size_t rotation;
};

}  // namespace
}  // namespace duet::telemetry
#endif  // DUET_TELEMETRY_SKETCH_ROW

HWY_BEFORE_NAMESPACE();
namespace duet::telemetry::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Adds the elements that D has lanes for, beginning with lane `lane` of a step.
template <class D>
HWY_INLINE void add_lanes(D, const float* x, const float* d, const std::uint32_t* signs, std::size_t step,
                          std::size_t lane, double* sums) {
  const D wide;
  const hn::Rebind<float, D> narrow;
  const hn::Rebind<std::uint32_t, D> bits;
  auto value = hn::LoadU(narrow, x);
  if (d != nullptr) value = hn::Add(value, hn::LoadU(narrow, d));
  const auto word = hn::ShiftLeftSame(hn::LoadU(bits, signs + lane), static_cast<int>(step));
  const auto sign = hn::And(word, hn::Set(bits, 0x80000000U));
  const auto turned = hn::BitCast(narrow, hn::Xor(hn::BitCast(bits, value), sign));
  hn::StoreU(hn::Add(hn::LoadU(wide, sums + lane), hn::PromoteTo(wide, turned)), wide, sums + lane);
}

#if DUET_FIXED_VECTORS
// A whole row. The sign that is due lies in the topmost bit of its word, and each step moves the next one
// there. What is sketched comes from memory, never from a cache: with so much to do for each line, the
// processor by itself looks ahead too little.
template <bool kSum>
HWY_INLINE void add_row(const Row& row, const float* x, const float* d, double* sums) {
  const hn::CappedTag<float, Sketcher::kStep> narrow;
  const hn::Half<decltype(narrow)> half;
  const hn::Repartition<double, decltype(narrow)> wide;
  const hn::Repartition<std::uint32_t, decltype(narrow)> bits;
  constexpr std::size_t kLanes = hn::MaxLanes(narrow);
  constexpr std::size_t kParts = Sketcher::kStep / kLanes;
  constexpr std::size_t kAhead = 128;
  const auto topmost = hn::Set(bits, 0x80000000U);
  for (std::size_t group = 0; group < kSketchGroups; ++group) {
    hn::Vec<decltype(bits)> words[kParts];
#pragma GCC unroll 4
    for (std::size_t part = 0; part < kParts; ++part)
      words[part] = hn::LoadU(bits, row.signs[group] + part * kLanes);
    const std::size_t begin = group * kStepsPerGroup * Sketcher::kStep;
    for (std::size_t at = begin; at < begin + kStepsPerGroup * Sketcher::kStep; at += Sketcher::kStep) {
      double* const place = sums + (at + row.rotation) % kSketchSize;
      hwy::Prefetch(x + at + kAhead);
      if (kSum) hwy::Prefetch(d + at + kAhead);
#pragma GCC unroll 4
      for (std::size_t part = 0; part < kParts; ++part) {
        const std::size_t i = at + part * kLanes;
        auto value = hn::LoadU(narrow, x + i);
        if (kSum) value = hn::Add(value, hn::LoadU(narrow, d + i));
        const auto sign = hn::And(words[part], topmost);
        words[part] = hn::Add(words[part], words[part]);
        const auto turned = hn::BitCast(narrow, hn::Xor(hn::BitCast(bits, value), sign));
        double* const lower = place + part * kLanes;
        double* const upper = lower + kLanes / 2;
        hn::StoreU(hn::Add(hn::LoadU(wide, lower), hn::PromoteTo(wide, hn::LowerHalf(half, turned))), wide,
                   lower);
        hn::StoreU(hn::Add(hn::LoadU(wide, upper), hn::PromoteTo(wide, hn::UpperHalf(half, turned))), wide,
                   upper);
      }
    }
  }
}
#endif

template <bool kSum>
HWY_INLINE void add_range(std::uint64_t key, const float* x, const float* d, std::size_t offset,
                          std::size_t count, double* sums) {
  const hn::CappedTag<double, Sketcher::kStep> full;
  const hn::CappedTag<double, 1> single;
  const std::size_t lanes = hn::Lanes(full);
  std::size_t done = 0;
  while (done < count) {
    const std::size_t column = (offset + done) % kSketchSize;
    const std::size_t end = std::min(count - done, kSketchSize - column) + column;
    const Row row(key, (offset + done) / kSketchSize);
    const float* const row_x = x + done;
    const float* const row_d = kSum ? d + done : nullptr;
#if DUET_FIXED_VECTORS
    if (end - column == kSketchSize) {
      add_row<kSum>(row, row_x, row_d, sums);
      done += kSketchSize;
      continue;
    }
#endif
    for (std::size_t at = column; at < end;) {
      const std::size_t group = at / (kStepsPerGroup * Sketcher::kStep);
      const std::size_t step = at / Sketcher::kStep % kStepsPerGroup;
      const std::size_t first = at - at % Sketcher::kStep;
      double* const place = sums + (first + row.rotation) % kSketchSize;
      const std::size_t stop = std::min(end, first + Sketcher::kStep);
      if (stop - at == Sketcher::kStep) {
        for (std::size_t lane = 0; lane < Sketcher::kStep; lane += lanes) {
          const std::size_t i = at - column + lane;
          add_lanes(full, row_x + i, kSum ? row_d + i : nullptr, row.signs[group], step, lane, place);
        }
      } else {
        for (std::size_t c = at; c < stop; ++c) {
          const std::size_t i = c - column;
          add_lanes(single, row_x + i, kSum ? row_d + i : nullptr, row.signs[group], step, c - first, place);
        }
      }
      at = stop;
    }
    done += end - column;
  }
}

void sketch_pass(std::uint64_t key, const float* x, const float* d, std::size_t offset, std::size_t count,
                 double* sums) {
  if (d != nullptr) {
    add_range<true>(key, x, d, offset, count, sums);
  } else {
    add_range<false>(key, x, d, offset, count, sums);
  }
}

}  // namespace
}  // namespace duet::telemetry::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace duet::telemetry {

HWY_EXPORT(sketch_pass);

// Mixed, so that neighbouring seeds do not give the same draws a little later.
Sketcher::Sketcher(std::uint64_t seed) : key_(mix_bits(seed ^ 0x6475657420736B65ULL)) {}

void Sketcher::reset() {
  sums_.fill(0.0);
}

void Sketcher::add(dynamics::ConstElements x, const float* d, std::size_t offset, std::size_t count) {
  if (x.dtype == DType::kFloat32) {
    HWY_DYNAMIC_DISPATCH(sketch_pass)
    (key_, static_cast<const float*>(x.data), d, offset, count, sums_.data());
    return;
  }
  // A part at a time, while it is in cache.
  std::array<float, kSketchSize> wide;
  const auto* const half = static_cast<const std::uint16_t*>(x.data);
  for (std::size_t done = 0; done < count; done += wide.size()) {
    const std::size_t part = std::min(count - done, wide.size());
    dynamics::widen({half + done, x.dtype}, wide.data(), part);
    HWY_DYNAMIC_DISPATCH(sketch_pass)
    (key_, wide.data(), d == nullptr ? nullptr : d + done, offset + done, part, sums_.data());
  }
}

std::vector<double> Sketcher::values() const {
  std::vector<double> values(sums_.begin(), sums_.begin() + kSketchSize);
  for (std::size_t i = kSketchSize; i < sums_.size(); ++i)
    values[i - kSketchSize] += sums_[i];
  return values;
}

}  // namespace duet::telemetry

#endif  // HWY_ONCE
