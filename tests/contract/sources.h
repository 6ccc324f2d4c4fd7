#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "contract/memory.h"
#include "transport/transport.h"

namespace duet::contract {

/// One transport that has to keep the contract, and how to get it.
struct Source {
  std::string name;  ///< letters, digits and '_'
  std::function<std::shared_ptr<const transport::Transport>()> load;
  transport::Settings settings;
  bool own_process_only = false;                   ///< cannot reach another process
  std::string path;                                ///< of the plugin; empty: built in
  std::shared_ptr<DeviceMemory> memory = nullptr;  ///< null: it moves host memory
  /// Above 0: an endpoint takes a device by the plugin's setting `device`; in the tests' process one after
  /// the other except the last, which is the other process's.
  int devices = 0;

  int last_device() const { return std::max(devices - 1, 0); }
  transport::Settings settings_on(int device) const;
};

inline std::ostream& operator<<(std::ostream& out, const Source& source) {
  return out << source.name;
}

/// The plugin in a file.
Source plugin_source(const std::string& name, const std::string& path, const transport::Settings& settings);
/// The in-process transport, and the same behind the fault-injecting decorator without and with a delay.
std::vector<Source> built_in_sources();
/// "NAME=PATH[,KEY=VALUE…]" separated by '|'. Three keys are the suite's own: memory=TEXT (device_memory()),
/// devices=N (Source::devices) and scope=process (Source::own_process_only). Throws std::invalid_argument,
/// and what device_memory() throws.
std::vector<Source> parse_sources(const std::string& list);
/// "KEY=VALUE". Throws std::invalid_argument.
std::pair<std::string, std::string> parse_setting(const std::string& text);

/// What the suite's tests run against. Decided before InitGoogleTest(), which asks for it.
void use_sources(std::vector<Source> sources);
const std::vector<Source>& all_sources();

}  // namespace duet::contract
