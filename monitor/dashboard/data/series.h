#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace duet::dashboard {

struct Sample {
  double time = 0.0;  ///< seconds on the view's time line
  double value = 0.0;
};

struct MinMax {
  double min = 0.0;
  double max = 0.0;
  void include(const MinMax& other) {
    min = std::min(min, other.min);
    max = std::max(max, other.max);
  }
};

/// One quantity of one worker over time: the newest samples up to a capacity, and above them a pyramid of
/// minima and maxima, so that a picture of an hour costs no more than one of ten seconds and still shows
/// every spike. The pyramid holds the newest, unfinished block too. Samples have non-decreasing times. A
/// value that is not finite is kept as a mark, apart from the samples. Not thread-safe: the GUI thread owns
/// every series.
class Series {
 public:
  explicit Series(std::size_t capacity);

  /// A time before the newest one is taken as the newest one: a line never runs backwards.
  void append(double time, double value);
  /// Forgets what is older, marks included; counts no drops: that it grows old was asked for.
  void forget_before(double time);
  /// Fewer than before: the oldest go, and count as dropped.
  void set_capacity(std::size_t capacity);

  std::size_t size() const { return samples_.size(); }
  bool empty() const { return samples_.empty(); }
  /// 0 is the oldest.
  const Sample& at(std::size_t index) const { return samples_[index]; }
  const Sample& front() const { return samples_.front(); }
  const Sample& back() const { return samples_.back(); }
  /// How many samples went because there was no room for them.
  std::uint64_t dropped() const { return dropped_; }

  /// Index of the first sample at or after a time; size() when there is none. Searches from `hint` on.
  std::size_t lower_bound(double time, std::size_t hint = 0) const;
  /// The last sample up to `index` at which a block of the pyramid begins, of the widest blocks that hold at
  /// most an eighth of `count` samples: extremes() of about so many from there on takes few steps.
  std::size_t block_start(std::size_t index, std::size_t count) const;
  /// Over [begin, end), which must not be empty.
  MinMax extremes(std::size_t begin, std::size_t end) const;
  std::optional<Sample> nearest(double time) const;

  /// When values were not finite, oldest first; the newest kMarks of them.
  const std::deque<double>& marks() const { return marks_; }
  static constexpr std::size_t kMarks = 1024;

 private:
  static constexpr std::size_t kFan = 8;
  static constexpr std::size_t kLevels = 5;
  struct Level {
    std::uint64_t first_block = 0;  ///< its samples start at first_block · width
    std::deque<MinMax> blocks;
  };
  void drop_oldest();
  void add_to_pyramid(std::uint64_t position, double value);

  std::size_t capacity_;
  std::uint64_t first_ = 0;  ///< position of samples_.front() in all that was ever appended
  std::deque<Sample> samples_;
  std::array<Level, kLevels> levels_;
  std::deque<double> marks_;
  std::uint64_t dropped_ = 0;
};

}  // namespace duet::dashboard
