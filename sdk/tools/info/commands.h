#pragma once

#include <string>
#include <vector>

#include "duet/options.h"

/// One function per subcommand. They print to standard output and throw duet::Error, whose text main()
/// prints.
namespace duet::info {

struct TopologyCommand {
  std::string graph = "ring";
  int workers = 0;
  double rate = 1.0;
  bool json = false;
  bool edges = false;  ///< list them instead, as file:PATH reads them
};
void show_topology(const TopologyCommand& command);

struct PluginsCommand {
  std::vector<std::string> plugin_path;
  std::string transport = Options().transport;  ///< NAME[:PROVIDER]: this one is asked with these settings
  std::string transport_settings;
  bool asked = false;      ///< for that one: throws unless it can be used
  double patience = 20.0;  ///< seconds for each plugin
  bool json = false;
};
void show_plugins(const PluginsCommand& command);

struct EnvironmentCommand {
  bool json = false;
  bool all = false;  ///< defaults too
};
void show_environment(const EnvironmentCommand& command);

}  // namespace duet::info
