#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace samples {

/// A text as numbers: which of its own different bytes comes at each place.
struct Text {
  std::string vocabulary;  ///< sorted
  std::vector<std::uint8_t> symbols;
  std::size_t training = 0;  ///< so many of them, from the start, are for training, the rest for testing
};

/// A file, or the .md and .txt files of a folder one after the other, by name. The last tenth is for testing.
/// Throws ConfigurationError: it cannot be read, or has fewer than `least` bytes in either part.
Text load_text(const std::filesystem::path& path, std::size_t least);

}  // namespace samples
