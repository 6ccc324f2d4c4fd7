#pragma once

#include <iosfwd>
#include <string>

#include "plugin-check/loading.h"
#include "plugin-check/verdict.h"

namespace duet::plugin_check {

/// Writes the report as the verdicts come in, for the author of a plugin.
class Report {
 public:
  explicit Report(std::ostream& out) : out_(out) {}

  void plugin(const std::string& path, const Identity& identity);
  void add(const Verdict& verdict);
  void totals();
  bool all_kept() const { return broken_ == 0; }

 private:
  std::ostream& out_;
  std::string group_;
  int kept_ = 0, broken_ = 0, skipped_ = 0;
};

}  // namespace duet::plugin_check
