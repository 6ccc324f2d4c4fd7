// The vectorised passes of every SIMD target against the scalar expressions that devices run.
#include "device/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "dynamics/passes.h"
#include "targets.h"

namespace duet::dynamics {
namespace {

std::vector<float> values(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> made(count);
  for (float& value : made)
    value = normal(engine);
  return made;
}

/// In parameters of either type: bytes, so that both sides can be compared to the bit.
std::vector<std::byte> parameters(DType type, const std::vector<float>& from) {
  std::vector<std::byte> bytes(from.size() * size_of(type));
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (type == DType::kFloat32) {
      std::memcpy(bytes.data() + 4 * i, &from[i], 4);
    } else {
      std::uint16_t narrow = 0;
      BFloat16::store(from[i], &narrow);
      std::memcpy(bytes.data() + 2 * i, &narrow, 2);
    }
  }
  return bytes;
}

std::vector<float> widened(DType type, const std::vector<std::byte>& bytes) {
  std::vector<float> wide(bytes.size() / size_of(type));
  reference::widen({bytes.data(), type}, wide.data(), wide.size());
  return wide;
}

class Reference : public OnEveryTarget {};

void expect_close(const std::vector<float>& found, const std::vector<float>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  // A target without fused multiply-add rounds once more.
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], expected[i], tolerance) << "element " << i;
}

TEST_P(Reference, IsWhatTheVectorsDo) {
  constexpr double kRoundings = 1e-6;
  for (const DType type : {DType::kFloat32, DType::kBFloat16}) {
    // Another last bit in float32 may round to the next bf16, and leaves the rest in d.
    const double of_x = type == DType::kFloat32 ? kRoundings : 0.04;
    for (const std::size_t count : {1U, 7U, 16U, 33U, 130U}) {
      auto x = parameters(type, values(count, 1)), x2 = x;
      auto d = values(count, 2), z = values(count, 3), s = values(count, 4);
      auto d2 = d, z2 = z, s2 = s;
      const auto r = values(count, 5);
      const auto same = [&] {
        expect_close(widened(type, x), widened(type, x2), of_x);
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_NEAR(double{widened(type, x)[i]} + double{d[i]},
                      double{widened(type, x2)[i]} + double{d2[i]}, 2 * kRoundings);
        }
        expect_close(z, z2, kRoundings);
        expect_close(s, s2, kRoundings);
      };
      snapshot({x.data(), type}, d.data(), z.data(), s.data(), DType::kFloat32, count, 0.2F);
      reference::snapshot({x2.data(), type}, d2.data(), z2.data(), s2.data(), DType::kFloat32, count, 0.2F);
      same();
      apply(d.data(), z.data(), s.data(), r.data(), DType::kFloat32, count, 0.5F, 1.3F);
      reference::apply(d2.data(), z2.data(), s2.data(), r.data(), DType::kFloat32, count, 0.5F, 1.3F);
      same();
      mix(d.data(), z.data(), count, 0.1F);
      reference::mix(d2.data(), z2.data(), count, 0.1F);
      same();
      deliver({x.data(), type}, d.data(), count);
      reference::deliver({x2.data(), type}, d2.data(), count);
      same();
      invariant({x.data(), type}, d.data(), z.data(), s.data(), count);
      reference::invariant({x2.data(), type}, d2.data(), z2.data(), s2.data(), count);
      same();
      assign({x.data(), type}, d.data(), r.data(), count);
      reference::assign({x2.data(), type}, d2.data(), r.data(), count);
      EXPECT_EQ(x, x2);
      EXPECT_EQ(d, d2);
      widen({x.data(), type}, s.data(), count);
      reference::widen({x2.data(), type}, s2.data(), count);
      EXPECT_EQ(s, s2);
    }
  }
}

/// From float32 in every exponent, and what is special.
TEST_P(Reference, RoundsToBFloat16AsTheVectorsDo) {
  std::vector<float> from{0.0F,
                          -0.0F,
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::denorm_min()};
  std::mt19937 engine(6);
  for (int i = 0; i < 20'000; ++i) {
    const auto bits = static_cast<std::uint32_t>(engine());
    float value = 0.0F;
    std::memcpy(&value, &bits, sizeof value);
    from.push_back(value);
  }
  std::vector<std::byte> x(from.size() * 2), x2 = x;
  std::vector<float> d(from.size()), d2 = d;
  assign({x.data(), DType::kBFloat16}, d.data(), from.data(), from.size());
  reference::assign({x2.data(), DType::kBFloat16}, d2.data(), from.data(), from.size());
  EXPECT_EQ(x, x2);
  EXPECT_EQ(std::memcmp(d.data(), d2.data(), d.size() * sizeof(float)), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    float held = 0.0F;
    reference::widen({x.data() + 2 * i, DType::kBFloat16}, &held, 1);
    // Whatever is finite is kept whole between the two; nothing else turns into a NaN that was none.
    if (std::isfinite(held)) {
      ASSERT_EQ(held + d[i], from[i]);
    } else {
      ASSERT_EQ(d[i], 0.0F);
    }
  }
}

TEST_P(Reference, DeliversCorrectionsThatBFloat16CannotHold) {
  std::vector<std::byte> x = parameters(DType::kBFloat16, std::vector<float>(50, 1.0F));
  std::vector<float> d(50);
  for (int i = 0; i < 1000; ++i) {
    for (float& value : d)
      value += 1.0F / 128000.0F;
    deliver({x.data(), DType::kBFloat16}, d.data(), d.size());
  }
  const auto moved = widened(DType::kBFloat16, x);
  EXPECT_EQ(moved[3], 1.0078125F) << "one last place further";
  EXPECT_NEAR(double{moved[3]} + double{d[3]}, 1.0 + 1000.0 / 128000.0, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Targets, Reference, ::testing::ValuesIn(simd_targets()), target_name);

}  // namespace
}  // namespace duet::dynamics
