#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dynamics/elements.h"
#include "telemetry/sketch_row.h"

/// A count sketch of a long vector: a random projection to kSketchSize numbers with a seed that all workers
/// share. Linear; E‖sketch(v)‖² = ‖v‖², with a relative deviation of at most about √(2/kSketchSize) ≈ 4 %,
/// whatever v. Element i goes, with a random sign, to one of kSketchSize places. Pure; thread-safe on
/// different objects.
namespace duet::telemetry {

/// How it is fast: kSketchSize consecutive elements (a row) go to kSketchSize different places, in order,
/// from a random place on, so that memory is read and written in order. Two elements of one row never share a
/// place; two of different rows do with probability 1/kSketchSize. That, and independent signs, is all that
/// the bound on the deviation needs.
class Sketcher {
 public:
  explicit Sketcher(std::uint64_t seed);
  std::uint64_t key() const { return key_; }  ///< for row_draw() elsewhere
  void reset();
  /// Adds elements offset … offset + count of v = x + d, a float32 sum (d null: v = x). x and d point at the
  /// first of these elements. Calls in ascending order of offset give the same numbers to the bit, however v
  /// is cut and whatever the processor; in any other order, up to rounding.
  void add(dynamics::ConstElements x, const float* d, std::size_t offset, std::size_t count);
  /// The projection so far: kSketchSize numbers. Not finite where an element was not.
  std::vector<double> values() const;

  /// Elements that are added at once, from any place on: those past the last place wait behind it for
  /// values().
  static constexpr std::size_t kStep = 16;

 private:
  std::uint64_t key_;
  // Double: the few bits by which two workers differ must survive the sum of thousands of elements in each
  // place.
  std::array<double, kSketchSize + kStep> sums_{};
};

}  // namespace duet::telemetry
