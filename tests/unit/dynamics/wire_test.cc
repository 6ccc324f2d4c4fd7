// The bfloat16 wire: rounding, values that are not finite, antisymmetry.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "dynamics/passes.h"
#include "targets.h"

namespace duet::dynamics {
namespace {

using Half = std::uint16_t;

float widen(Half half) {
  return std::bit_cast<float>(std::uint32_t{half} << 16);
}

// Written otherwise than the kernel: of the two neighbours, the nearer one; of two as near, the even one.
Half nearest(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const Half lower = static_cast<Half>(bits >> 16);
  if ((bits & 0xFFFF) == 0) return lower;
  const Half upper = static_cast<Half>(lower + 1);
  const auto magnitude = [](Half half) {
    return (half & 0x7FFF) == 0x7F80 ? std::ldexp(1.0, 128) : std::abs(static_cast<double>(widen(half)));
  };
  const double below = std::abs(static_cast<double>(value)) - magnitude(lower);
  const double above = magnitude(upper) - std::abs(static_cast<double>(value));
  if (below != above) return below < above ? lower : upper;
  return (lower & 1) == 0 ? lower : upper;
}

std::vector<Half> round_all(const std::vector<float>& values) {
  std::vector<Half> wire(values.size());
  std::vector<float> zero(values.size(), 0.0f);
  // −0 + −0 = −0: with d = −0 every x, −0 included, is its own position.
  zero.assign(values.size(), -0.0f);
  snapshot(values.data(), zero.data(), nullptr, wire.data(), DType::kBFloat16, values.size(), 0.0f);
  return wire;
}

class BFloat16Wire : public OnEveryTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, BFloat16Wire, ::testing::ValuesIn(simd_targets()), target_name);

TEST_P(BFloat16Wire, RoundsToTheNearestTiesToEven) {
  std::vector<float> values = {0.0f,           -0.0f,  1.0f,    -1.0f,          3.4028235e38f,
                               -3.4028235e38f, 1e-45f, -1e-45f, 1.17549435e-38f};
  for (const std::uint32_t upper : {0x3F80u, 0x3F81u, 0xBF80u, 0xBF81u, 0x7F7Fu, 0x0000u, 0x0001u, 0x007Fu}) {
    for (const std::uint32_t lower : {0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      values.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  std::mt19937 engine(5);
  while (values.size() < 20'000) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(engine()));
    if (std::isfinite(value)) values.push_back(value);
  }
  const std::vector<Half> wire = round_all(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(wire[i], nearest(values[i])) << std::hexfloat << values[i];
  }
}

TEST_P(BFloat16Wire, KeepsNaNAndInfinity) {
  std::vector<float> values;
  for (const std::uint32_t bits :
       {0x7F800001u, 0x7FFFFFFFu, 0xFF800001u, 0xFFFFFFFFu, 0x7FC00000u, 0xFFBFFFFFu}) {
    for (int copies = 0; copies < 37; ++copies)
      values.push_back(std::bit_cast<float>(bits));
  }
  for (const Half half : round_all(values))
    EXPECT_TRUE(std::isnan(widen(half))) << half;
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(round_all({infinity, -infinity}), (std::vector<Half>{0x7F80, 0xFF80}));
}

TEST_P(BFloat16Wire, SquaredDistanceAndApplyReadWhatWasRounded) {
  std::mt19937 engine(6);
  std::normal_distribution<float> normal;
  for (const std::size_t count : {0u, 1u, 3u, 8u, 31u, 64u, 131u}) {
    std::vector<float> a(count), b(count), d(count), z(count);
    for (std::size_t i = 0; i < count; ++i) {
      a[i] = normal(engine);
      b[i] = normal(engine);
      d[i] = normal(engine);
      z[i] = normal(engine);
    }
    const std::vector<Half> s = round_all(a), r = round_all(b);
    const std::vector<float> d_before = d, z_before = z;
    double expected = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      const double m = widen(s[i]) - widen(r[i]);
      expected += m * m;
    }
    EXPECT_NEAR(squared_distance(s.data(), r.data(), DType::kBFloat16, count), expected, 1e-12 * expected);
    apply(d.data(), z.data(), s.data(), r.data(), DType::kBFloat16, count, 0.5f, 2.25f);
    for (std::size_t i = 0; i < count; ++i) {
      const double m = widen(s[i]) - widen(r[i]);
      ASSERT_NEAR(d[i], d_before[i] - 0.5 * m, 1e-6) << i;
      ASSERT_NEAR(z[i], z_before[i] - 2.25 * m, 4e-6) << i;
    }
  }
}

TEST_P(BFloat16Wire, SquaredDistanceShowsEveryElementThatIsNotFinite) {
  const std::size_t count = 67;
  for (const Half bad : {Half{0x7FC0}, Half{0x7F80}, Half{0xFF80}, Half{0x7F81}}) {
    for (std::size_t at = 0; at < count; ++at) {
      std::vector<Half> s(count, 0x3F80), r(count, 0x3F80);
      s[at] = bad;
      EXPECT_FALSE(std::isfinite(squared_distance(s.data(), r.data(), DType::kBFloat16, count))) << at;
      r[at] = bad;
      EXPECT_FALSE(std::isfinite(squared_distance(s.data(), r.data(), DType::kBFloat16, count))) << at;
    }
  }
}

// One side on this target, the other on every other one: what one gains the other loses, to the bit.
TEST_P(BFloat16Wire, AMeetingIsAntisymmetricBetweenUnlikeMachines) {
  for (const DType wire : {DType::kFloat32, DType::kBFloat16}) {
    for (const std::string& other : simd_targets()) {
      const std::size_t count = 1003;
      std::mt19937 engine(7);
      std::normal_distribution<float> normal;
      std::vector<float> x_i(count), x_j(count), d_i(count), d_j(count), z_i(count), z_j(count), s_i(count),
          s_j(count);
      for (std::size_t k = 0; k < count; ++k) {
        x_i[k] = normal(engine);
        x_j[k] = 100.0f * normal(engine);
      }
      const float alpha = 0.5f, beta = 1.3717f;
      snapshot(x_i.data(), d_i.data(), z_i.data(), s_i.data(), wire, count, 0.2f);
      force_simd_target(other);
      snapshot(x_j.data(), d_j.data(), z_j.data(), s_j.data(), wire, count, 0.2f);
      apply(d_j.data(), z_j.data(), s_j.data(), s_i.data(), wire, count, alpha, beta);
      force_simd_target(GetParam());
      apply(d_i.data(), z_i.data(), s_i.data(), s_j.data(), wire, count, alpha, beta);
      for (std::size_t k = 0; k < count; ++k) {
        ASSERT_EQ(d_i[k], -d_j[k]) << k << " with " << other;
        ASSERT_EQ(z_i[k], -z_j[k]) << k << " with " << other;
      }
      EXPECT_NE(d_i[0], 0.0f);
    }
  }
}

}  // namespace
}  // namespace duet::dynamics
