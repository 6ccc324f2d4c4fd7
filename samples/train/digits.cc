#include "digits.h"

#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

#include "duet/error.h"

namespace samples {
namespace {

constexpr std::size_t kPixels = 64;
constexpr int kLargestPixel = 16;
constexpr std::size_t kFold = 5;

[[noreturn]] void refuse(const std::filesystem::path& file, std::size_t line, const std::string& what) {
  throw duet::ConfigurationError(file.string() + ":" + std::to_string(line) + ": " + what +
                                 "; expected 64 pixels of 0 … 16 and a label of 0 … 9, separated by commas");
}

// The 65 numbers of one line.
std::vector<std::uint8_t> parse(std::string_view text, const std::filesystem::path& file, std::size_t line) {
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  std::vector<std::uint8_t> numbers;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (true) {
    int number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc())
      refuse(file, line, "column " + std::to_string(numbers.size() + 1) + " is no number");
    const int largest = numbers.size() < kPixels ? kLargestPixel : 9;
    if (number < 0 || number > largest) {
      refuse(file, line, "column " + std::to_string(numbers.size() + 1) + " is " + std::to_string(number));
    }
    numbers.push_back(static_cast<std::uint8_t>(number));
    if (next == end) break;
    if (*next != ',') refuse(file, line, "unexpected '" + std::string(1, *next) + "'");
    at = next + 1;
  }
  if (numbers.size() != kPixels + 1) refuse(file, line, std::to_string(numbers.size()) + " columns");
  return numbers;
}

}  // namespace

DataSplit load_digits(const std::filesystem::path& directory) {
  const auto file = directory / "digits.csv";
  std::ifstream in(file);
  if (!in) {
    throw duet::ConfigurationError(
        "cannot read " + file.string() +
        ": --data must name the folder of digits.csv (samples/data in the source tree)");
  }
  DataSplit split;
  split.mean = {0.0F};
  split.scale = {1.0F / kLargestPixel};
  for (Dataset* set : {&split.train, &split.test})
    set->height = set->width = 8;

  std::string line;
  std::getline(in, line);  // the header
  for (std::size_t index = 0; std::getline(in, line); ++index) {
    const auto numbers = parse(line, file, index + 2);
    Dataset& set = index % kFold == kFold - 1 ? split.test : split.train;
    set.pixels.insert(set.pixels.end(), numbers.begin(), numbers.begin() + kPixels);
    set.labels.push_back(numbers[kPixels]);
  }
  if (split.test.size() == 0) {
    throw duet::ConfigurationError(file.string() + " holds " + std::to_string(split.train.size()) +
                                   " images: too few; it may have been cut off");
  }
  return split;
}

}  // namespace samples
