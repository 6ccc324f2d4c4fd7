#include "cifar10.h"

#include <fstream>
#include <string>
#include <system_error>

#include "duet/error.h"

namespace samples {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kImage = std::size_t{3} * 32 * 32;
constexpr std::size_t kRecord = 1 + kImage;
constexpr const char* kRemedy =
    "; unpack cifar-10-binary.tar.gz (https://www.cs.toronto.edu/~kriz/cifar.html) once more and name its "
    "folder with "
    "--data";

void append_file(const fs::path& file, std::size_t records, Dataset& set) {
  const std::string expected = std::to_string(records * kRecord) + " bytes (" + std::to_string(records) +
                               " records of 1 label and 3072 pixels)";
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  if (error) {
    throw duet::ConfigurationError(file.string() + ": " + error.message() + "; expected a file of " +
                                   expected + kRemedy);
  }
  if (bytes != records * kRecord) {
    throw duet::ConfigurationError(file.string() + " has " + std::to_string(bytes) + " bytes, expected " +
                                   expected + kRemedy);
  }
  std::ifstream in(file, std::ios::binary);
  std::vector<char> content(bytes);
  if (!in.read(content.data(), static_cast<std::streamsize>(bytes))) {
    throw duet::ConfigurationError("cannot read " + file.string() + ", expected " + expected);
  }
  for (std::size_t i = 0; i < records; ++i) {
    const auto* record = reinterpret_cast<const std::uint8_t*>(content.data()) + i * kRecord;
    if (record[0] > 9) {
      throw duet::ConfigurationError(file.string() + ": record " + std::to_string(i) + " has the label " +
                                     std::to_string(record[0]) + ", expected 0 … 9" + kRemedy);
    }
    set.labels.push_back(record[0]);
    set.pixels.insert(set.pixels.end(), record + 1, record + kRecord);
  }
}

}  // namespace

DataSplit load_cifar10(const fs::path& directory, std::size_t records) {
  fs::path folder = directory;
  if (!fs::exists(folder / "data_batch_1.bin") && fs::is_directory(folder / "cifar-10-batches-bin")) {
    folder /= "cifar-10-batches-bin";
  }
  DataSplit split;
  for (Dataset* set : {&split.train, &split.test}) {
    set->channels = 3;
    set->height = set->width = 32;
  }
  split.train.pixels.reserve(5 * records * kImage);
  for (int i = 1; i <= 5; ++i)
    append_file(folder / ("data_batch_" + std::to_string(i) + ".bin"), records, split.train);
  append_file(folder / "test_batch.bin", records, split.test);
  // Mean and standard deviation per channel of the training set, of values 0 … 255.
  split.mean = {125.3F, 123.0F, 113.9F};
  split.scale = {1.0F / 63.0F, 1.0F / 62.1F, 1.0F / 66.7F};
  split.augment_padding = 4;
  return split;
}

}  // namespace samples
