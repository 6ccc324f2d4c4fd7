#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duet/export.h"

namespace duet {

/// One place that was looked at for a transport, and what came of it.
struct TransportCandidate {
  std::string name;     ///< "libfabric"
  std::string path;     ///< the shared object; "built in" for inproc
  std::string version;  ///< the plugin's own; empty when it could not be loaded
  std::string abi;      ///< "1.0"; empty when it could not be loaded
  bool loaded = false;
  bool viable = false;
  std::string reason;  ///< why not, or what would be used
  std::vector<std::string> capabilities;
};

/// All transports that can be found, in search order: `plugin_path`, DUET_PLUGIN_PATH, beside libduet.so.
/// Loads each one. Thread-safe.
/// `may_load` is asked with the path of each file just before it is loaded; what it turns down is listed, but
/// left alone. Whoever discovers in a child process can tell from it which plugin brought the child down.
/// `transport` and `transport_settings`: as in Options. The one that is named there is asked whether it could
/// be used with these; all others, and all when nothing is named, with their defaults. Throws
/// ConfigurationError when they cannot be read.
DUET_API std::vector<TransportCandidate> discover_transports(
    const std::vector<std::string>& plugin_path = {},
    const std::function<bool(const std::string& path)>& may_load = {}, const std::string& transport = {},
    const std::string& transport_settings = {});

}  // namespace duet
