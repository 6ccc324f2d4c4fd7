#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace samples {

/// Rows of pixels of red, green, blue.
struct Picture {
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> values;
};

/// Whether this program was built with a JPEG library.
bool can_read_jpeg();
/// Grey and CMYK pictures become RGB. Throws duet::Error that names the file and what is wrong with it: it is
/// none, is cut off, or has more than 100 million pixels.
Picture read_jpeg(const std::filesystem::path& file);

}  // namespace samples
