#pragma once

#include <map>
#include <string>
#include <vector>

namespace duet::plot {

/// A report's settings, each as it is read ("ring", "rate 2", "not torn"), by its key. Any keys: a newer
/// duet-sim has more of them than an older one.
struct NamedReport {
  std::string file;
  std::map<std::string, std::string> settings;
};

/// What tells the reports apart, in order: the settings in which they differ, where that is not enough their
/// files.
std::vector<std::string> names_of(const std::vector<NamedReport>& reports);

/// What all of them share of the algorithm, the pairing, the graph and the workers: "holdoff, ring of 64".
std::string shared_by(const std::vector<NamedReport>& reports);

}  // namespace duet::plot
