#include "batches.h"

#include <utility>

namespace samples {

Batches::Batches(const DataSplit& data, std::uint64_t seed, std::vector<std::size_t> own)
    : data_(data), random_(seed), order_(data.train.size(), std::move(own)) {}

void Batches::next(std::size_t count, float* images, std::int64_t* labels) {
  const Dataset& set = data_.train;
  const std::size_t padding = data_.augment_padding;
  std::uniform_int_distribution<std::size_t> offset(0, 2 * padding);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = order_.next(random_);
    float* const out = images + i * set.image_size();
    if (padding > 0) {
      const std::size_t down = offset(random_), right = offset(random_);
      prepare_image(set, index, data_, down, right, (random_() & 1) != 0, out);
    } else {
      prepare_image(set, index, data_, out);
    }
    labels[i] = set.labels[index];
  }
}

void prepare_image(const Dataset& set, std::size_t index, const DataSplit& data, std::size_t down,
                   std::size_t right, bool flip, float* out) {
  const std::uint8_t* const image = set.pixels.data() + index * set.image_size();
  const std::size_t padding = data.augment_padding;
  for (std::size_t channel = 0; channel < set.channels; ++channel) {
    const float mean = data.mean[channel], scale = data.scale[channel];
    const std::uint8_t* const plane = image + channel * set.height * set.width;
    for (std::size_t row = 0; row < set.height; ++row) {
      // Unsigned: what lies above or left of the image wraps around and is as far outside as what lies below.
      const std::size_t from_row = row + down - padding;
      for (std::size_t column = 0; column < set.width; ++column) {
        const std::size_t from_column = (flip ? set.width - 1 - column : column) + right - padding;
        const bool inside = from_row < set.height && from_column < set.width;
        const float value = inside ? static_cast<float>(plane[from_row * set.width + from_column]) : 0.0F;
        *out++ = (value - mean) * scale;
      }
    }
  }
}

void prepare_image(const Dataset& set, std::size_t index, const DataSplit& data, float* out) {
  prepare_image(set, index, data, data.augment_padding, data.augment_padding, false, out);
}

}  // namespace samples
