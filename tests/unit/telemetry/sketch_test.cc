#include "telemetry/sketch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "dynamics/passes.h"

namespace duet::telemetry {
namespace {

using Vector = std::vector<float>;

std::vector<double> sketch_of(std::uint64_t seed, const Vector& v) {
  Sketcher sketcher(seed);
  sketcher.add(v.data(), nullptr, 0, v.size());
  return sketcher.values();
}

double squared_norm(const auto& v) {
  double sum = 0.0;
  for (const double value : v)
    sum += value * value;
  return sum;
}

Vector normal_vector(std::size_t count, unsigned seed, float scale = 1.0f) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  Vector v(count);
  for (float& value : v)
    value = normal(engine);
  return v;
}

struct Shape {
  std::string name;
  std::function<float(std::size_t)> element;
  std::size_t count = 50'000;
  int seeds = 400;
};

void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.name;
}

std::vector<Shape> shapes() {
  const auto normal = std::make_shared<Vector>(normal_vector(50'000, 11));
  return {
      {"normal", [normal](std::size_t i) { return (*normal)[i]; }},
      {"constant", [](std::size_t) { return 3.0f; }},
      {"alternating", [](std::size_t i) { return i % 2 == 0 ? 1.0f : -1.0f; }},
      {"ramp", [](std::size_t i) { return static_cast<float>(i); }},
      {"period_1024", [](std::size_t i) { return std::sin(static_cast<float>(i % 1024)); }},
      {"period_1023", [](std::size_t i) { return std::sin(static_cast<float>(i % 1023)); }},
      {"stride_1024", [](std::size_t i) { return i % 1024 == 17 ? 1.0f : 0.0f; }, 200'000},
      {"stride_4096", [](std::size_t i) { return i % 4096 == 5 ? 1.0f : 0.0f; }, 400'000, 200},
      {"stride_64", [](std::size_t i) { return i % 64 == 0 ? 1.0f : 0.0f; }},
      {"one_row", [](std::size_t i) { return i >= 2048 && i < 3072 ? 1.0f : 0.0f; }},
      {"few_large", [](std::size_t i) { return i % 12'000 == 7 ? 1e6f : 1.0f; }, 50'000, 3000},
      {"two_alike_a_row_apart", [](std::size_t i) { return i == 100 || i == 1124 ? 1.0f : 0.0f; }, 2048,
       20'000},
  };
}

class SketchOf : public ::testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(Shapes, SketchOf, ::testing::ValuesIn(shapes()),
                         [](const auto& one) { return one.param.name; });

// Over many seeds: the mean of ‖sketch‖²/‖v‖² is 1, and its deviation no more than √(2/1024), whatever the
// vector.
TEST_P(SketchOf, NormIsRightOnAverageAndNearlyAlways) {
  const Shape& shape = GetParam();
  Vector v(shape.count);
  for (std::size_t i = 0; i < v.size(); ++i)
    v[i] = shape.element(i);
  const double exact = squared_norm(v);
  double sum = 0.0, squares = 0.0;
  for (int seed = 0; seed < shape.seeds; ++seed) {
    const double error = squared_norm(sketch_of(static_cast<std::uint64_t>(seed), v)) / exact - 1.0;
    sum += error;
    squares += error * error;
  }
  const double bound = std::sqrt(2.0 / kSketchSize);
  const double deviation = std::sqrt(squares / shape.seeds);
  EXPECT_LT(std::abs(sum / shape.seeds), 3.5 * bound / std::sqrt(shape.seeds));
  EXPECT_LT(deviation, 1.15 * bound);
  RecordProperty("relative_deviation", std::to_string(deviation));
}

TEST(Sketch, DeviationOfAGenericVectorIsAsTheoryHasIt) {
  const Vector v = normal_vector(100'000, 1);
  const double exact = squared_norm(v);
  double squares = 0.0;
  const int seeds = 600;
  for (int seed = 0; seed < seeds; ++seed) {
    const double error = squared_norm(sketch_of(static_cast<std::uint64_t>(seed), v)) / exact - 1.0;
    squares += error * error;
  }
  EXPECT_NEAR(std::sqrt(squares / seeds), std::sqrt(2.0 / kSketchSize), 0.1 * std::sqrt(2.0 / kSketchSize));
}

TEST(Sketch, InnerProductsAreRightOnAverage) {
  const Vector a = normal_vector(30'000, 1), b = normal_vector(30'000, 2);
  double exact = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    exact += double{a[i]} * b[i];
  const int seeds = 500;
  double mean = 0.0;
  for (int seed = 0; seed < seeds; ++seed) {
    const auto s = sketch_of(static_cast<std::uint64_t>(seed), a),
               t = sketch_of(static_cast<std::uint64_t>(seed), b);
    for (std::size_t i = 0; i < s.size(); ++i)
      mean += s[i] * t[i] / seeds;
  }
  const double deviation = std::sqrt(squared_norm(a) * squared_norm(b) / kSketchSize / seeds);
  EXPECT_NEAR(mean, exact, 3.5 * deviation);
}

TEST(Sketch, OneElementKeepsItsSizeWhereverItIs) {
  for (std::size_t at = 0; at < 5000; at += 13) {
    Vector v(5000, 0.0f);
    v[at] = -2.5f;
    EXPECT_DOUBLE_EQ(squared_norm(sketch_of(3, v)), 6.25) << at;
  }
}

TEST(Sketch, EveryPlaceAndBothSignsAreUsedEvenly) {
  std::vector<int> uses(kSketchSize, 0);
  int negative = 0;
  const std::size_t rows = 400, column = 333;
  for (std::size_t row = 0; row < rows; ++row) {
    Sketcher sketcher(9);
    const float one = 1.0f;
    sketcher.add(&one, nullptr, row * kSketchSize + column, 1);
    const auto values = sketcher.values();
    for (std::size_t place = 0; place < kSketchSize; ++place) {
      uses[place] += values[place] != 0.0 ? 1 : 0;
      negative += values[place] < 0.0 ? 1 : 0;
    }
  }
  int used = 0;
  for (const int count : uses) {
    used += count > 0 ? 1 : 0;
    EXPECT_LE(count, 6);
  }
  EXPECT_NEAR(used, kSketchSize * (1.0 - std::exp(-static_cast<double>(rows) / kSketchSize)), 40.0);
  EXPECT_NEAR(negative, rows / 2.0, 4.0 * std::sqrt(rows / 4.0));
}

TEST(Sketch, IsLinear) {
  const Vector a = normal_vector(10'007, 1), b = normal_vector(10'007, 2);
  Vector sum(a.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    sum[i] = a[i] + b[i];
  const auto s = sketch_of(5, a), t = sketch_of(5, b), u = sketch_of(5, sum);
  for (std::size_t i = 0; i < s.size(); ++i)
    EXPECT_NEAR(s[i] + t[i], u[i], 1e-5);
}

TEST(Sketch, TakesThePositionXPlusD) {
  const Vector x = normal_vector(3001, 1), d = normal_vector(3001, 2, 0.01f);
  Vector position(x.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    position[i] = x[i] + d[i];
  Sketcher sketcher(6);
  sketcher.add(x.data(), d.data(), 0, x.size());
  EXPECT_EQ(sketcher.values(), sketch_of(6, position));
}

TEST(Sketch, AnyAscendingSplitIsTheSameToTheBit) {
  const Vector x = normal_vector(20'011, 1), d = normal_vector(20'011, 2);
  Sketcher whole(7);
  whole.add(x.data(), d.data(), 0, x.size());
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 engine(seed);
    const std::size_t longest = seed % 2 == 0 ? 50 : 4000;
    Sketcher pieces(7);
    for (std::size_t from = 0; from < x.size();) {
      const std::size_t length = std::min<std::size_t>(engine() % longest, x.size() - from);
      pieces.add(x.data() + from, d.data() + from, from, length);
      from += length;
    }
    EXPECT_EQ(pieces.values(), whole.values()) << seed;
  }
}

TEST(Sketch, BlocksInAnyOrderAreTheSameUpToRounding) {
  const Vector x = normal_vector(20'000, 1);
  Sketcher backwards(7);
  for (std::size_t block = 20; block-- > 0;)
    backwards.add(x.data() + block * 1000, nullptr, block * 1000, 1000);
  const auto expected = sketch_of(7, x), actual = backwards.values();
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], 1e-12);
}

TEST(Sketch, IsTheSameToTheBitOnEverySimdTarget) {
  const Vector x = normal_vector(33'333, 1), d = normal_vector(33'333, 2);
  std::vector<std::vector<double>> results;
  for (const std::string& target : dynamics::simd_targets()) {
    dynamics::force_simd_target(target);
    Sketcher sketcher(8);
    sketcher.add(x.data() + 5, d.data() + 5, 777, x.size() - 5);
    results.push_back(sketcher.values());
  }
  dynamics::force_simd_target("");
  for (const auto& result : results)
    EXPECT_EQ(result, results.front());
}

TEST(Sketch, DependsOnTheSeed) {
  const Vector v = normal_vector(4096, 1);
  EXPECT_EQ(sketch_of(1, v), sketch_of(1, v));
  EXPECT_NE(sketch_of(1, v), sketch_of(2, v));
}

TEST(Sketch, ResetStartsAnew) {
  const Vector v = normal_vector(4096, 1);
  Sketcher sketcher(1);
  sketcher.add(v.data(), nullptr, 0, v.size());
  sketcher.reset();
  EXPECT_EQ(sketcher.values(), std::vector<double>(kSketchSize, 0.0));
  sketcher.add(v.data(), nullptr, 0, v.size());
  EXPECT_EQ(sketcher.values(), sketch_of(1, v));
}

TEST(Sketch, OfNothingIsZero) {
  Sketcher sketcher(1);
  sketcher.add(nullptr, nullptr, 123, 0);
  EXPECT_EQ(sketcher.values(), std::vector<double>(kSketchSize, 0.0));
}

TEST(Sketch, ShowsAnElementThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Vector v = normal_vector(5000, 1);
    v[4321] = bad;
    EXPECT_FALSE(std::isfinite(squared_norm(sketch_of(1, v))));
  }
}

// ‖x‖ about 10⁴, one worker a few units in the last place away: the difference of the sketches still shows
// it.
TEST(Sketch, SmallDifferencesOfLargeVectorsSurvive) {
  const Vector x = normal_vector(262'144, 1, 20.0f);
  Vector y = x;
  double exact = 0.0;
  for (std::size_t i = 0; i < y.size(); i += 97) {
    y[i] = std::nextafter(y[i], 1e9f);
    exact += (double{y[i]} - x[i]) * (double{y[i]} - x[i]);
  }
  const auto s = sketch_of(4, x), t = sketch_of(4, y);
  double estimate = 0.0;
  for (std::size_t i = 0; i < s.size(); ++i)
    estimate += (s[i] - t[i]) * (s[i] - t[i]);
  EXPECT_NEAR(std::sqrt(squared_norm(x)), 1e4, 1e3);
  EXPECT_NEAR(std::sqrt(estimate / exact), 1.0, 0.12);
}

}  // namespace
}  // namespace duet::telemetry
