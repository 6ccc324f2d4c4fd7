#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

/// A count sketch of a long vector: a random projection to kSketchSize numbers with a seed that all workers share.
/// Linear; E‖sketch(v)‖² = ‖v‖², with a relative deviation of about √(2/kSketchSize) ≈ 4 %. Element i goes, with a random
/// sign, to one of kSketchSize places. Pure; thread-safe on different objects.
namespace duet::telemetry {

constexpr std::size_t kSketchSize = 1024;

class Sketcher {
 public:
  explicit Sketcher(std::uint64_t seed);
  void reset();
  /// Adds elements offset … offset + count of v = x + d (d null: v = x). Any split into calls gives the same sketch up
  /// to rounding.
  void add(const float* x, const float* d, std::size_t offset, std::size_t count);
  /// The projection so far.
  std::vector<double> values() const;

 private:
  std::uint64_t seed_;
  std::array<double, kSketchSize> sums_{};
};

}  // namespace duet::telemetry
