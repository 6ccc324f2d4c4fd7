#pragma once

#include <string>

namespace duet::sim {

struct Pair {
  double first = 0.0;
  double second = 0.0;
};

/// "0.25:5". form: what to write, e.g. "FRACTION:FACTOR, e.g. 0.25:5". Throws ConfigurationError that names
/// the option, what it was and the form.
Pair parse_pair(const std::string& option, const std::string& text, const std::string& form);

}  // namespace duet::sim
