#include "report_names.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace duet::plot {

namespace {

/// Empty: this report's duet-sim knew no such setting.
std::string value(const NamedReport& report, const std::string& key) {
  const auto found = report.settings.find(key);
  return found == report.settings.end() ? std::string() : found->second;
}

bool is_shared(const std::vector<NamedReport>& reports, const std::string& key) {
  return std::all_of(reports.begin(), reports.end(), [&](const NamedReport& report) {
    return value(report, key) == value(reports.front(), key);
  });
}

void append(std::string& line, const std::string& part) {
  if (part.empty()) return;
  line += (line.empty() ? "" : ", ") + part;
}

/// The files' names, with their folders where those alone tell them apart.
std::vector<std::string> files_of(const std::vector<NamedReport>& reports) {
  std::vector<std::string> names;
  for (const NamedReport& report : reports)
    names.push_back(std::filesystem::path(report.file).filename().string());
  const std::set<std::string> different(names.begin(), names.end());
  if (different.size() < names.size()) {
    for (std::size_t k = 0; k < names.size(); ++k)
      names[k] = reports[k].file;
  }
  return names;
}

}  // namespace

std::vector<std::string> names_of(const std::vector<NamedReport>& reports) {
  std::set<std::string> keys;
  for (const NamedReport& report : reports) {
    for (const auto& [key, text] : report.settings)
      keys.insert(key);
  }
  std::vector<std::string> names(reports.size());
  for (const std::string& key : keys) {
    if (is_shared(reports, key)) continue;
    for (std::size_t k = 0; k < reports.size(); ++k)
      append(names[k], value(reports[k], key));
  }
  const std::vector<std::string> files = files_of(reports), alone = names;
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (alone[k].empty() || std::count(alone.begin(), alone.end(), alone[k]) > 1) append(names[k], files[k]);
  }
  return names;
}

std::string shared_by(const std::vector<NamedReport>& reports) {
  if (reports.empty()) return {};
  const auto shared = [&](const char* key) {
    return is_shared(reports, key) ? value(reports.front(), key) : std::string();
  };
  std::string line;
  append(line, shared("algorithm"));
  append(line, shared("pairing"));
  const std::string graph = shared("graph"), workers = shared("workers");
  // "ring of 64 workers" is too long beside a key.
  const std::string number = workers.substr(0, workers.find(' '));
  append(line, graph.empty() || workers.empty() ? graph + workers : graph + " of " + number);
  return line;
}

}  // namespace duet::plot
