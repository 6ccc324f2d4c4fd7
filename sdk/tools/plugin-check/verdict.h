#pragma once

#include <string>
#include <vector>

namespace duet::plugin_check {

/// What came of one check.
struct Verdict {
  enum class Kind { kKept, kBroken, kSkipped };

  Kind kind = Kind::kKept;
  std::string group;  ///< "Deadlines"
  std::string name;   ///< "OfSendsThatNobodyTakes"
  std::vector<std::string> rules;
  std::vector<std::string> failures;  ///< what was expected and what was seen; with line breaks
  std::string reason;                 ///< why it was skipped
  double seconds = 0.0;
};

}  // namespace duet::plugin_check
