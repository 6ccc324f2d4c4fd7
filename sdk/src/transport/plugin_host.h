#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duet/plugin/transport.h"
#include "transport/transport.h"

/// How plugins are found and checked; what load_transport() and discover_transports() are made of.
namespace duet::transport {

/// A directory that is searched, or would have been.
struct SearchPlace {
  std::string directory;
  std::string origin;   ///< "plugin_path", "DUET_PLUGIN_PATH", "beside the SDK library"
  std::string refusal;  ///< why it is not searched; empty: it is
};

/// In search order, each directory once: `plugin_path`, `environment` (DUET_PLUGIN_PATH: directories
/// separated by ':'), then the SDK's own: duet/ beside the library that this code is in, and ../lib/duet from
/// there and from the program. Empty and relative entries are refused: what is loaded must not depend on the
/// current directory.
std::vector<SearchPlace> search_places(const std::vector<std::string>& plugin_path,
                                       const std::string& environment);

/// "libduet_transport_NAME.so".
std::string plugin_file_name(const std::string& name);

/// Checks a plugin's table and returns a copy in which every slot that does not count (beyond struct_size) is
/// null, so that users need to look at nothing else. The copy lives until the process ends. null: *reason
/// says why not.
const duet_transport* check_table(const duet_transport* table, std::string* reason);

/// Loads one file (once per process, however often it is asked for). null: *reason says why not, *abi and
/// *version what the plugin said of itself before it was turned down.
std::shared_ptr<const Transport> load_plugin(const std::string& path, std::string* reason,
                                             std::string* version, std::string* abi);

/// "host memory", "integrity", …: DUET_CAPABILITY_* in words.
std::vector<std::string> capability_names(std::uint64_t capabilities);

}  // namespace duet::transport
