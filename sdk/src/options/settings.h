#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "duet/options.h"

namespace duet::options {

/// One row of the table: everything that is to be known about a setting.
struct Row {
  std::string name;
  std::string help;
  std::string expected;                                    ///< completes "is not …"
  std::function<bool(Options&, const std::string&)> read;  ///< false: not of this type; nothing changed
  std::function<std::string(const Options&)> write;        ///< as read() takes it
  std::function<bool(const Options&)> valid;  ///< the value alone; see Options::validate for the rest
  bool has_variable = true;
  bool secret = false;

  std::string variable() const;  ///< "DUET_BLOCK_BYTES", or empty
  /// write(), or "(hidden)" for a secret that is set.
  std::string show(const Options& options) const;
};

const std::vector<Row>& rows();
/// With dashes or underscores; null: there is none.
const Row* find_row(std::string_view name);

}  // namespace duet::options
