#pragma once

#include <filesystem>

#include "dataset.h"

namespace samples {

/// CIFAR-10 in its original binary files, data_batch_1.bin … data_batch_5.bin and test_batch.bin, in
/// `directory` or in its folder cifar-10-batches-bin. `records`: images per file. Throws ConfigurationError
/// that names the file, its size and what was expected.
DataSplit load_cifar10(const std::filesystem::path& directory, std::size_t records = 10000);

}  // namespace samples
