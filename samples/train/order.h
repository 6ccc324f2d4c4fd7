#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace samples {

/// Numbers of samples without end: every one comes once before any comes again, in an order that is drawn
/// anew for each round.
class Order {
 public:
  /// own: the numbers; empty: 0 … size − 1.
  Order(std::size_t size, std::vector<std::size_t> own) : numbers_(std::move(own)) {
    if (numbers_.empty()) {
      numbers_.resize(size);
      std::iota(numbers_.begin(), numbers_.end(), std::size_t{0});
    }
    position_ = numbers_.size();
  }

  std::size_t next(std::mt19937_64& random) {
    if (position_ == numbers_.size()) {
      std::shuffle(numbers_.begin(), numbers_.end(), random);
      position_ = 0;
    }
    return numbers_[position_++];
  }

 private:
  std::vector<std::size_t> numbers_;
  std::size_t position_ = 0;
};

}  // namespace samples
