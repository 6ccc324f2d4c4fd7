#pragma once

#include <filesystem>

#include "dataset.h"

namespace samples {

/// Handwritten digits, 8×8 pixels of 0 … 16, from DIRECTORY/digits.csv (samples/data/README.md): a header,
/// then 64 pixels and the label per line. Every fifth image (index % 5 = 4) is for testing. Throws
/// ConfigurationError that names file and line.
DataSplit load_digits(const std::filesystem::path& directory);

}  // namespace samples
