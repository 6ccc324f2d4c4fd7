#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "transport/transport.h"

namespace duet::contract {

/// One transport that has to keep the contract, and how to get it.
struct Source {
  std::string name;  ///< letters, digits and '_'
  std::function<std::shared_ptr<const transport::Transport>()> load;
  transport::Settings settings;
  bool own_process_only = false;  ///< cannot reach another process
  std::string path;               ///< of the plugin; empty: built in
};

inline std::ostream& operator<<(std::ostream& out, const Source& source) {
  return out << source.name;
}

/// The plugin in a file.
Source plugin_source(const std::string& name, const std::string& path, const transport::Settings& settings);
/// The in-process transport, and the same behind the fault-injecting decorator without and with a delay.
std::vector<Source> built_in_sources();
/// "NAME=PATH[,KEY=VALUE…]" separated by '|'. Throws std::invalid_argument.
std::vector<Source> parse_sources(const std::string& list);
/// "KEY=VALUE". Throws std::invalid_argument.
std::pair<std::string, std::string> parse_setting(const std::string& text);

/// What the suite's tests run against. Decided before InitGoogleTest(), which asks for it.
void use_sources(std::vector<Source> sources);
const std::vector<Source>& all_sources();

}  // namespace duet::contract
