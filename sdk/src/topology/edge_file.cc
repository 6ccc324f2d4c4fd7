#include "topology/edge_file.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <string_view>
#include <utility>

#include "duet/error.h"
#include "topology/numbers.h"

namespace duet::topology {
namespace {

std::vector<std::string_view> words(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\v\f";
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> found;
  for (std::size_t at = line.find_first_not_of(kBlank); at != std::string_view::npos;
       at = line.find_first_not_of(kBlank, at)) {
    const std::size_t end = std::min(line.find_first_of(kBlank, at), line.size());
    found.push_back(line.substr(at, end - at));
    at = end;
  }
  return found;
}

}  // namespace

EdgeFile read_edge_file(std::istream& input, const std::string& path, int workers) {
  EdgeFile file;
  std::map<std::pair<int, int>, int> seen;  // edge → line
  std::string text;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // some editors begin UTF-8 with it
  for (int line = 1; std::getline(input, text); ++line) {
    if (line == 1 && text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
    const auto refuse = [&](const std::string& why) {
      throw ConfigurationError(fmt::format("graph file {}, line {}: {}", path, line, why));
    };
    const std::vector<std::string_view> word = words(text);
    if (word.empty()) continue;
    if (word.size() < 2 || word.size() > 3) {
      refuse(
          fmt::format("{} words; an edge is two workers and, if you like, a rate: i j [rate]", word.size()));
    }
    int ends[2];
    for (std::size_t k = 0; k < 2; ++k) {
      const auto worker = parse_number<int>(word[k]);
      if (!worker)
        refuse(fmt::format("\"{}\" is no worker: give a number from 0 to {}", word[k], workers - 1));
      if (*worker < 0 || *worker >= workers) {
        refuse(fmt::format("worker {} is out of range: workers are 0 to {}", *worker, workers - 1));
      }
      ends[k] = *worker;
    }
    if (ends[0] == ends[1]) refuse(fmt::format("edge {{{}, {}}} is a self-loop", ends[0], ends[1]));
    Edge edge{std::min(ends[0], ends[1]), std::max(ends[0], ends[1]), 1.0};
    const bool has_rate = word.size() == 3;
    if (has_rate) {
      const auto rate = parse_number<double>(word[2]);
      if (!rate || !(*rate > 0.0) || !std::isfinite(*rate)) {
        refuse(fmt::format("\"{}\" is no rate: give a positive number", word[2]));
      }
      edge.rate = *rate;
    }
    if (seen.empty()) file.has_rates = has_rate;
    if (has_rate != file.has_rates) {
      refuse(fmt::format("has {} rate, unlike the lines before it; give all edges a rate or none",
                         has_rate ? "a" : "no"));
    }
    const auto [before, is_new] = seen.try_emplace({edge.a, edge.b}, line);
    if (!is_new) refuse(fmt::format("edge {{{}, {}}} is already on line {}", edge.a, edge.b, before->second));
    file.edges.push_back(edge);
  }
  if (input.bad()) throw ConfigurationError(fmt::format("graph file {}: cannot be read to its end", path));
  if (file.edges.empty() && workers > 1) {
    throw ConfigurationError(
        fmt::format("graph file {}: holds no edges; give each a line of its own: i j [rate]", path));
  }
  return file;
}

}  // namespace duet::topology
