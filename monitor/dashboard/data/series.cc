#include "dashboard/data/series.h"

#include <algorithm>
#include <cmath>

namespace duet::dashboard {

Series::Series(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

void Series::append(double time, double value) {
  if (!std::isfinite(time)) return;
  if (!samples_.empty()) time = std::max(time, samples_.back().time);
  if (!std::isfinite(value)) {
    if (!marks_.empty()) time = std::max(time, marks_.back());
    marks_.push_back(time);
    if (marks_.size() > kMarks) marks_.pop_front();
    return;
  }
  add_to_pyramid(first_ + samples_.size(), value);
  samples_.push_back({time, value});
  if (samples_.size() > capacity_) {
    drop_oldest();
    ++dropped_;
  }
}

void Series::add_to_pyramid(std::uint64_t position, double value) {
  std::uint64_t width = 1;
  for (Level& level : levels_) {
    width *= kFan;
    const std::uint64_t block = position / width;
    if (level.blocks.empty()) level.first_block = block;
    if (block == level.first_block + level.blocks.size()) {
      level.blocks.push_back({value, value});
    } else {
      level.blocks.back().include({value, value});
    }
  }
}

void Series::drop_oldest() {
  samples_.pop_front();
  ++first_;
  std::uint64_t width = 1;
  for (Level& level : levels_) {
    width *= kFan;
    // A block that has lost a part of its samples is never asked as a whole: extremes() takes whole blocks
    // only.
    if (!level.blocks.empty() && (level.first_block + 1) * width <= first_) {
      level.blocks.pop_front();
      ++level.first_block;
    }
  }
}

void Series::forget_before(double time) {
  while (!samples_.empty() && samples_.front().time < time)
    drop_oldest();
  while (!marks_.empty() && marks_.front() < time)
    marks_.pop_front();
}

void Series::set_capacity(std::size_t capacity) {
  capacity_ = std::max<std::size_t>(capacity, 1);
  while (samples_.size() > capacity_) {
    drop_oldest();
    ++dropped_;
  }
}

std::size_t Series::lower_bound(double time, std::size_t hint) const {
  const auto found = std::lower_bound(samples_.begin() + static_cast<std::ptrdiff_t>(hint), samples_.end(),
                                      time, [](const Sample& sample, double at) { return sample.time < at; });
  return static_cast<std::size_t>(found - samples_.begin());
}

std::size_t Series::block_start(std::size_t index, std::size_t count) const {
  std::uint64_t width = 1;
  while (width * kFan * 8 <= count)
    width *= kFan;
  const std::uint64_t position = first_ + index;
  return static_cast<std::size_t>(std::max(position / width * width, first_) - first_);
}

MinMax Series::extremes(std::size_t begin, std::size_t end) const {
  const std::uint64_t stop = first_ + end;
  const bool to_newest = end == samples_.size();
  std::uint64_t at = first_ + begin;
  MinMax result{samples_[begin].value, samples_[begin].value};
  while (at < stop) {
    // The widest block that starts here and does not reach beyond the end.
    std::uint64_t width = 1;
    std::size_t depth = 0;
    while (depth < kLevels && at % (width * kFan) == 0 && (to_newest || at + width * kFan <= stop)) {
      width *= kFan;
      ++depth;
    }
    if (depth == 0) {
      const double value = samples_[static_cast<std::size_t>(at - first_)].value;
      result.include({value, value});
    } else {
      const Level& level = levels_[depth - 1];
      result.include(level.blocks[static_cast<std::size_t>(at / width - level.first_block)]);
    }
    at += width;
  }
  return result;
}

std::optional<Sample> Series::nearest(double time) const {
  if (samples_.empty()) return std::nullopt;
  const std::size_t after = lower_bound(time);
  if (after == samples_.size()) return samples_.back();
  if (after > 0 && time - samples_[after - 1].time < samples_[after].time - time) return samples_[after - 1];
  return samples_[after];
}

}  // namespace duet::dashboard
