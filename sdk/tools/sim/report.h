#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace duet::sim {

using Json = nlohmann::ordered_json;

/// A file that a run's results go to: CSV, a line for each run, or JSON, all of it.
class Report {
 public:
  /// path: its suffix says which; empty: no report. Throws ConfigurationError when it has another one, or
  /// cannot be written, before anything was run.
  explicit Report(std::string path);

  /// settings and summary: objects; runs: objects that all have the same keys. Those whose values are lists
  /// go into JSON only. Throws Error.
  void write(const Json& settings, const std::vector<Json>& runs, const Json& summary) const;

 private:
  std::string path_;
  bool csv_ = false;
};

/// A number, or null where JSON has none (infinity, NaN).
Json number(double value);

struct Spread {
  double mean = 0.0;
  double deviation = 0.0;  ///< standard, of the sample; 0 for one value
};
Spread spread_of(const std::vector<double>& values);
/// "43.6 ± 2.1"
std::string text(const Spread& spread);

}  // namespace duet::sim
