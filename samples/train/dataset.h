#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace samples {

/// Labelled images, one byte per value, in the order image, channel, row, column. Immutable once loaded, so
/// that any number of workers in one process may share it.
struct Dataset {
  std::size_t channels = 1;
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;

  std::size_t size() const { return labels.size(); }
  std::size_t image_size() const { return channels * height * width; }
};

/// What a data set's loader returns, and how a network sees it: (value − mean[channel]) · scale[channel].
struct DataSplit {
  Dataset train;
  Dataset test;
  std::vector<float> mean;
  std::vector<float> scale;
  /// Random crops of the image padded by this many zeros, and flips, while training; 0: none.
  std::size_t augment_padding = 0;
};

}  // namespace samples
