#include "options/misspelt.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "options/settings.h"

namespace duet::options {
namespace {

constexpr std::size_t kAlike = 2;

/// Levenshtein's.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({substituted, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> find_unknown(const Variables& variables) {
  std::vector<std::string> known = {"DUET_CUDA_LIBRARY", "DUET_LOG", "DUET_PLUGIN_PATH"};
  for (const Row& row : rows()) {
    if (row.has_variable) known.push_back(row.variable());
  }
  std::vector<std::pair<std::string, std::string>> unknown;
  for (const auto& variable : variables) {
    const std::string& name = variable.first;
    if (!name.starts_with("DUET_") || std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto nearest = std::min_element(
        known.begin(), known.end(),
        [&](const auto& left, const auto& right) { return distance(name, left) < distance(name, right); });
    unknown.emplace_back(name, distance(name, *nearest) <= kAlike ? *nearest : std::string());
  }
  return unknown;
}

}  // namespace duet::options
