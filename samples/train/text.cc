#include "text.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <system_error>

#include "duet/error.h"

namespace samples {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTestingPart = 10;  // one in so many

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof())
    throw duet::ConfigurationError("cannot read " + file.string() +
                                   ": --data must name a text, or a folder of some");
  return text;
}

std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const auto suffix = entry.path().extension();
    if (entry.is_regular_file() && (suffix == ".md" || suffix == ".txt")) files.push_back(entry.path());
  }
  if (files.empty())
    throw duet::ConfigurationError(path.string() +
                                   " has no .md or .txt files: --data must name a text, or a folder of "
                                   "some");
  std::sort(files.begin(), files.end());  // the order of a folder is anything
  return files;
}

}  // namespace

Text load_text(const fs::path& path, std::size_t least) {
  std::string all;
  for (const fs::path& file : files_of(path))
    all += contents(file);
  Text text;
  text.training = all.size() - all.size() / kTestingPart;
  if (text.training < least || all.size() - text.training < least) {
    throw duet::ConfigurationError(path.string() + " has " + std::to_string(all.size()) +
                                   " bytes of text; at least " + std::to_string(kTestingPart * least) +
                                   " are needed for training and testing");
  }
  std::array<bool, 256> used{};
  for (const char symbol : all)
    used[static_cast<unsigned char>(symbol)] = true;
  std::array<std::uint8_t, 256> number{};
  for (std::size_t byte = 0; byte < used.size(); ++byte) {
    if (!used[byte]) continue;
    number[byte] = static_cast<std::uint8_t>(text.vocabulary.size());
    text.vocabulary.push_back(static_cast<char>(byte));
  }
  text.symbols.reserve(all.size());
  for (const char symbol : all)
    text.symbols.push_back(number[static_cast<unsigned char>(symbol)]);
  return text;
}

}  // namespace samples
