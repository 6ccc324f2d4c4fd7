#include "sim/report.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "duet/error.h"

namespace duet::sim {

namespace {

std::string cell(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  return value.dump();
}

void write_csv(std::ostream& out, const std::vector<Json>& runs) {
  const auto line = [&](const auto& text_of) {
    bool first = true;
    for (const auto& [key, value] : runs.front().items()) {
      if (value.is_array()) continue;
      out << (first ? "" : ",") << text_of(key);
      first = false;
    }
    out << "\n";
  };
  line([](const std::string& key) { return key; });
  for (const Json& run : runs)
    line([&](const std::string& key) { return cell(run.at(key)); });
}

}  // namespace

Report::Report(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  csv_ = path_.ends_with(".csv");
  if (!csv_ && !path_.ends_with(".json"))
    throw ConfigurationError("--report " + path_ + ": the suffix says the format, .csv or .json");
  const auto folder = std::filesystem::path(path_).parent_path();
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK) != 0)
    throw ConfigurationError("--report " + path_ + ": cannot be written: " + std::strerror(errno));
}

void Report::write(const Json& settings, const std::vector<Json>& runs, const Json& summary) const {
  if (path_.empty()) return;
  // Whole or not at all: a reader never sees half of it.
  const std::string part = path_ + ".part";
  {
    std::ofstream out(part);
    if (csv_) {
      write_csv(out, runs);
    } else {
      out << Json{{"settings", settings}, {"summary", summary}, {"runs", runs}}.dump(1) << "\n";
    }
    out.flush();
    if (!out) throw Error("--report " + path_ + ": cannot be written: " + std::strerror(errno));
  }
  if (std::rename(part.c_str(), path_.c_str()) != 0)
    throw Error("--report " + path_ + ": cannot be written: " + std::strerror(errno));
}

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Spread spread_of(const std::vector<double>& values) {
  Spread spread;
  if (values.empty()) return spread;
  const auto count = static_cast<double>(values.size());
  for (const double value : values)
    spread.mean += value / count;
  for (const double value : values)
    spread.deviation += (value - spread.mean) * (value - spread.mean);
  spread.deviation = values.size() > 1 ? std::sqrt(spread.deviation / (count - 1.0)) : 0.0;
  return spread;
}

std::string text(const Spread& spread) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.4g \u00b1 %.2g", spread.mean, spread.deviation);
  return buffer;
}

}  // namespace duet::sim
