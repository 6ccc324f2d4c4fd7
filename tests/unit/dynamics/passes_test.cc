// Every fused pass on every SIMD target against the same sums in double, element by element.
#include "dynamics/passes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "duet/error.h"
#include "targets.h"

namespace duet::dynamics {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr double kUlp = std::numeric_limits<float>::epsilon();

// A view that starts `shift` elements into its storage and is guarded on both sides: whoever writes past its
// ends is found out.
class Guarded {
 public:
  Guarded(std::size_t count, std::size_t shift, unsigned seed)
      : shift_(shift), storage_(count + shift + kGuard, kMark) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < count; ++i)
      storage_[shift + i] = normal(engine);
  }
  float* data() { return storage_.data() + shift_; }
  std::vector<double> values() const {
    return {storage_.begin() + static_cast<long>(shift_), storage_.end() - static_cast<long>(kGuard)};
  }
  bool intact() const {
    for (std::size_t i = 0; i < storage_.size(); ++i) {
      const bool guard = i < shift_ || i >= storage_.size() - kGuard;
      if (guard && storage_[i] != kMark) return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kGuard = 33;
  static constexpr float kMark = 12345.0f;
  std::size_t shift_;
  std::vector<float> storage_;
};

void expect_close(const std::vector<double>& actual, const std::vector<double>& expected, double scale) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 2.0 * kUlp * scale) << "element " << i << " of " << actual.size();
  }
}

class Passes : public OnEveryTarget {
 protected:
  // Calls check(count, shift) for sizes around every vector length and for every misalignment up to a cache
  // line.
  template <class Check>
  void for_all_shapes(const Check& check) {
    for (const std::size_t count :
         {0u, 1u, 2u, 3u, 7u, 8u, 9u, 15u, 16u, 17u, 31u, 32u, 33u, 63u, 64u, 65u, 127u, 1001u}) {
      for (std::size_t shift = 0; shift < 17; shift += (count > 70 ? 5 : 1)) {
        SCOPED_TRACE(::testing::Message() << count << " elements, shifted by " << shift);
        check(count, shift);
        if (HasFatalFailure()) return;
      }
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Targets, Passes, ::testing::ValuesIn(simd_targets()), target_name);

TEST_P(Passes, TheForcedTargetIsInUse) {
  EXPECT_EQ(simd_target_in_use(), GetParam());
}

TEST_P(Passes, SnapshotMixesAndTakesThePosition) {
  const float c = 0.2f;
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded x(count, shift, 1), d(count, 2 * shift, 2), z(count, shift / 2, 3), s(count, shift + 3, 4);
    std::vector<double> expected_d, expected_z, expected_s;
    for (std::size_t i = 0; i < count; ++i) {
      expected_d.push_back(double(d.data()[i]) + double(c) * z.data()[i]);
      expected_z.push_back((1.0 - 2.0 * double(c)) * z.data()[i]);
      expected_s.push_back(x.data()[i] + expected_d.back());
    }
    const std::vector<double> x_before = x.values();
    snapshot(x.data(), d.data(), z.data(), s.data(), DType::kFloat32, count, c);
    expect_close(d.values(), expected_d, 4.0);
    expect_close(z.values(), expected_z, 4.0);
    expect_close(s.values(), expected_s, 8.0);
    EXPECT_EQ(x.values(), x_before);
    EXPECT_TRUE(x.intact() && d.intact() && z.intact() && s.intact());
  });
}

TEST_P(Passes, SnapshotWithoutMomentumOrTimeLeavesDAndZ) {
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded x(count, shift, 1), d(count, shift, 2), z(count, shift, 3), s(count, 0, 4);
    const std::vector<double> d_before = d.values(), z_before = z.values();
    std::vector<double> position;
    for (std::size_t i = 0; i < count; ++i)
      position.push_back(x.data()[i] + d.data()[i]);
    snapshot(x.data(), d.data(), nullptr, s.data(), DType::kFloat32, count, 0.3f);
    EXPECT_EQ(s.values(), position);
    snapshot(x.data(), d.data(), z.data(), s.data(), DType::kFloat32, count, 0.0f);
    EXPECT_EQ(s.values(), position);
    EXPECT_EQ(d.values(), d_before);
    EXPECT_EQ(z.values(), z_before);
    EXPECT_TRUE(s.intact());
  });
}

TEST_P(Passes, ApplyMovesDAndZAgainstTheDifference) {
  const float alpha = 0.5f, beta = 1.3717f;
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded d(count, shift, 1), z(count, 2 * shift, 2), s(count, shift / 2, 3), r(count, shift + 1, 4);
    std::vector<double> expected_d, expected_z;
    for (std::size_t i = 0; i < count; ++i) {
      const double m = double(s.data()[i]) - r.data()[i];
      expected_d.push_back(d.data()[i] - alpha * m);
      expected_z.push_back(z.data()[i] - beta * m);
    }
    apply(d.data(), z.data(), s.data(), r.data(), DType::kFloat32, count, alpha, beta);
    expect_close(d.values(), expected_d, 8.0);
    expect_close(z.values(), expected_z, 16.0);
    EXPECT_TRUE(d.intact() && z.intact() && s.intact() && r.intact());
  });
}

TEST_P(Passes, ApplyWithoutMomentumIsTheSameOnD) {
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded d(count, shift, 1), copy(count, shift, 1), z(count, shift, 2), s(count, 1, 3), r(count, 2, 4);
    apply(d.data(), z.data(), s.data(), r.data(), DType::kFloat32, count, 0.5f, 0.7f);
    apply(copy.data(), nullptr, s.data(), r.data(), DType::kFloat32, count, 0.5f, 0.7f);
    EXPECT_EQ(d.values(), copy.values());
    EXPECT_TRUE(copy.intact());
  });
}

TEST_P(Passes, SquaredDistanceIsThatOfTheDoubles) {
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded s(count, shift, 1), r(count, shift + 2, 2);
    double expected = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      const double m = s.data()[i] - r.data()[i];  // rounded once, as apply() does
      expected += m * m;
    }
    EXPECT_NEAR(squared_distance(s.data(), r.data(), DType::kFloat32, count), expected, 1e-12 * expected);
  });
}

TEST_P(Passes, SquaredDistanceShowsEveryElementThatIsNotFinite) {
  const std::size_t count = 133;
  for (const float bad : {kNaN, kInfinity, -kInfinity}) {
    for (std::size_t at = 0; at < count; ++at) {
      std::vector<float> s(count, 1.0f), r(count, 1.0f);
      s[at] = bad;
      EXPECT_FALSE(std::isfinite(squared_distance(s.data(), r.data(), DType::kFloat32, count))) << at;
      EXPECT_FALSE(std::isfinite(squared_distance(r.data(), s.data(), DType::kFloat32, count))) << at;
      r[at] = bad;
      EXPECT_FALSE(std::isfinite(squared_distance(s.data(), r.data(), DType::kFloat32, count))) << at;
    }
  }
  // Finite both, but apply() would add their difference, which is not.
  const std::vector<float> high(count, 3e38f), low(count, -3e38f);
  EXPECT_FALSE(std::isfinite(squared_distance(high.data(), low.data(), DType::kFloat32, count)));
}

TEST_P(Passes, SquaredDistanceNeitherOverflowsNorVanishes) {
  const std::size_t count = 1001;
  std::vector<float> s(count, 1e30f);
  const std::vector<float> r(count, 0.0f);
  EXPECT_NEAR(squared_distance(s.data(), r.data(), DType::kFloat32, count) / (1001.0 * 1e60), 1.0, 1e-6);
  s.assign(count, 1e-30f);
  EXPECT_NEAR(squared_distance(s.data(), r.data(), DType::kFloat32, count) / (1001.0 * 1e-60), 1.0, 1e-6);
}

TEST_P(Passes, SquaredDistanceKeepsItsDigitsOverALargeModel) {
  const std::size_t count = 25'600'000;
  std::vector<float> s(count, 1e-3f);
  s[0] = 1e3f;  // 4·10⁴ times what all others together are worth: a float32 sum would lose them
  const std::vector<float> r(count, 0.0f);
  const double small = 1e-3f;
  const double expected = 1e6 + static_cast<double>(count - 1) * small * small;
  EXPECT_NEAR(squared_distance(s.data(), r.data(), DType::kFloat32, count), expected, 1e-9 * expected);
}

TEST_P(Passes, DeliverAddsAndClears) {
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded x(count, shift, 1), d(count, shift + 5, 2);
    std::vector<double> expected;
    for (std::size_t i = 0; i < count; ++i)
      expected.push_back(x.data()[i] + d.data()[i]);
    deliver(x.data(), d.data(), count);
    EXPECT_EQ(x.values(), expected);
    EXPECT_EQ(d.values(), std::vector<double>(count, 0.0));
    EXPECT_TRUE(x.intact() && d.intact());
  });
}

TEST_P(Passes, MixIsWhatSnapshotMixes) {
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded x(count, 0, 1), d(count, shift, 2), z(count, shift, 3), s(count, 0, 4), d2(count, shift, 2),
        z2(count, shift, 3);
    snapshot(x.data(), d.data(), z.data(), s.data(), DType::kFloat32, count, 0.37f);
    mix(d2.data(), z2.data(), count, 0.37f);
    EXPECT_EQ(d.values(), d2.values());
    EXPECT_EQ(z.values(), z2.values());
    EXPECT_TRUE(d2.intact() && z2.intact());
    mix(d2.data(), z2.data(), count, 0.0f);
    mix(d2.data(), nullptr, count, 0.4f);
    EXPECT_EQ(d.values(), d2.values());
  });
}

TEST_P(Passes, InvariantAndAccumulateAddUp) {
  for_all_shapes([&](std::size_t count, std::size_t shift) {
    Guarded x(count, shift, 1), d(count, 1, 2), z(count, 2, 3), out(count, shift, 4), sum(count, shift, 5);
    std::vector<double> expected, plain, total;
    for (std::size_t i = 0; i < count; ++i) {
      expected.push_back(double(x.data()[i]) + d.data()[i] + 0.5 * z.data()[i]);
      plain.push_back(x.data()[i] + d.data()[i]);
    }
    invariant(x.data(), d.data(), nullptr, out.data(), count);
    EXPECT_EQ(out.values(), plain);
    invariant(x.data(), d.data(), z.data(), out.data(), count);
    expect_close(out.values(), expected, 8.0);
    for (std::size_t i = 0; i < count; ++i)
      total.push_back(sum.data()[i] + out.data()[i]);
    accumulate(sum.data(), out.data(), count);
    EXPECT_EQ(sum.values(), total);
    EXPECT_TRUE(out.intact() && sum.intact());
    invariant(x.data(), d.data(), z.data(), x.data(), count);  // in place
    EXPECT_EQ(x.values(), out.values());
  });
}

TEST_P(Passes, AnElementsResultDoesNotDependOnWhereItLies) {
  const std::size_t count = 200;
  Guarded x(count, 0, 1), d(count, 0, 2), z(count, 0, 3), s(count, 0, 4), r(count, 0, 5);
  Guarded d2(count, 0, 2), z2(count, 0, 3), s2(count, 0, 4);
  snapshot(x.data(), d.data(), z.data(), s.data(), DType::kFloat32, count, 0.11f);
  apply(d.data(), z.data(), s.data(), r.data(), DType::kFloat32, count, 0.5f, 1.7f);
  for (std::size_t from = 0, length = 1; from < count; from += length, ++length) {
    length = std::min(length, count - from);
    snapshot(x.data() + from, d2.data() + from, z2.data() + from, s2.data() + from, DType::kFloat32, length,
             0.11f);
    apply(d2.data() + from, z2.data() + from, s2.data() + from, r.data() + from, DType::kFloat32, length,
          0.5f, 1.7f);
  }
  EXPECT_EQ(d.values(), d2.values());
  EXPECT_EQ(z.values(), z2.values());
  EXPECT_EQ(s.values(), s2.values());
}

TEST(SimdTargets, ListTheBestFirstAndUseIt) {
  const std::vector<std::string> targets = simd_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(simd_target_in_use(), targets.front());
  force_simd_target(targets.back());
  EXPECT_EQ(simd_targets(), targets);
  force_simd_target("");
  EXPECT_EQ(simd_target_in_use(), targets.front());
}

TEST(SimdTargets, RefuseAnUnknownName) {
  try {
    force_simd_target("MMX");
    FAIL() << "accepted";
  } catch (const ConfigurationError& error) {
    EXPECT_NE(std::string(error.what()).find("MMX"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find(simd_targets().front()), std::string::npos);
  }
}

}  // namespace
}  // namespace duet::dynamics
