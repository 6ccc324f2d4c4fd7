#include <chrono>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "duet/error.h"
#include "info/commands.h"
#include "info/probe.h"

namespace duet::info {
namespace {

void print_json(const std::vector<TransportCandidate>& candidates) {
  auto list = nlohmann::ordered_json::array();
  for (const TransportCandidate& candidate : candidates) {
    nlohmann::ordered_json entry;
    entry["name"] = candidate.name;
    entry["path"] = candidate.path;
    entry["version"] = candidate.version;
    entry["abi"] = candidate.abi;
    entry["loaded"] = candidate.loaded;
    entry["viable"] = candidate.viable;
    entry["reason"] = candidate.reason;
    entry["capabilities"] = candidate.capabilities;
    list.push_back(std::move(entry));
  }
  std::cout << nlohmann::ordered_json{{"plugins", std::move(list)}}.dump(2) << "\n";
}

void print_list(const std::vector<TransportCandidate>& candidates) {
  for (const TransportCandidate& candidate : candidates) {
    std::cout << (candidate.name.empty() ? "(nothing)" : candidate.name)
              << (candidate.viable ? "" : "  NOT USABLE") << "\n";
    const auto line = [](const char* label, const std::string& value) {
      if (!value.empty()) std::cout << "  " << label << value << "\n";
    };
    line("from       ", candidate.path);
    line("version    ", candidate.version);
    line("ABI        ", candidate.abi);
    std::string capabilities;
    for (const std::string& one : candidate.capabilities)
      capabilities += (capabilities.empty() ? "" : ", ") + one;
    line("can        ", capabilities);
    line(candidate.viable ? "uses       " : "because    ", candidate.reason);
  }
}

/// Throws unless a worker here could use the transport that the command names.
void require_usable(const PluginsCommand& command, const std::vector<TransportCandidate>& candidates) {
  const std::string& asked = command.transport;
  if (asked.empty())
    throw ConfigurationError("--transport is empty: give NAME or NAME:PROVIDER, e.g. libfabric:tcp");
  if (asked.find('/') != std::string::npos) {
    throw ConfigurationError("--transport " + asked +
                             ": ask for a path by --plugin-path FOLDER --transport NAME, of "
                             "FOLDER/libduet_transport_NAME.so");
  }
  if (asked == "auto") {  // takes what it finds
    if (command.transport_settings.empty()) return;
    throw ConfigurationError("--transport auto: settings are for one transport, name it");
  }
  const std::string name = asked.substr(0, asked.find(':'));
  std::string found;
  for (const TransportCandidate& candidate : candidates) {
    if (candidate.name == name) {  // the first of a name decides
      if (candidate.viable) return;
      std::string what = "transport \"" + asked + "\"";
      if (!command.transport_settings.empty()) what += " with " + command.transport_settings;
      throw TransportError(what + " cannot be used here: " + candidate.reason);
    }
    if (candidate.name.empty()) continue;
    if (!found.empty()) found += ", ";
    found += candidate.name;
  }
  throw TransportError("there is no transport \"" + name + "\", only " + found +
                       "; install the plugin, or name its folder (--plugin-path, DUET_PLUGIN_PATH)");
}

}  // namespace

void show_plugins(const PluginsCommand& command) {
  ProbeRequest request;
  for (const std::string& folder : command.plugin_path)
    request.plugin_path.push_back(std::filesystem::absolute(folder));
  request.transport = command.transport;
  request.transport_settings = command.transport_settings;
  request.patience =
      std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(command.patience));
  const auto candidates = probe_transports(request);
  if (command.json) {
    print_json(candidates);
  } else {
    print_list(candidates);
  }
  std::cout.flush();
  if (command.asked) require_usable(command, candidates);
}

}  // namespace duet::info
