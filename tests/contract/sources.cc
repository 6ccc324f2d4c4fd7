#include "contract/sources.h"

#include <stdexcept>
#include <utility>

#include "transport/fault_injection.h"

namespace duet::contract {
namespace {

using transport::Faults;
using transport::inject_faults;
using transport::load_transport;

std::vector<Source>& chosen() {
  static std::vector<Source> sources;
  return sources;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = std::min(text.find(separator, from), text.size());
    if (to > from) parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

}  // namespace

std::pair<std::string, std::string> parse_setting(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw std::invalid_argument("\"" + text + "\" is not of the form KEY=VALUE");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Source plugin_source(const std::string& name, const std::string& path, const transport::Settings& settings) {
  return {.name = name,
          .load = [path] { return load_transport(path, {}); },
          .settings = settings,
          .own_process_only = false,
          .path = path};
}

std::vector<Source> built_in_sources() {
  std::vector<Source> sources;
  const auto add = [&](const char* name, auto load) {
    sources.push_back({.name = name, .load = load, .settings = {}, .own_process_only = true, .path = {}});
  };
  add("inproc", [] { return load_transport("inproc", {}); });
  add("inproc_decorated", [] { return inject_faults(load_transport("inproc", {}), Faults{}); });
  add("inproc_delayed", [] { return inject_faults(load_transport("inproc", {}), Faults{.delay = 0.002}); });
  return sources;
}

std::vector<Source> parse_sources(const std::string& list) {
  std::vector<Source> sources;
  for (const std::string& entry : split(list, '|')) {
    const std::vector<std::string> parts = split(entry, ',');
    const auto [name, path] = parse_setting(parts.front());
    transport::Settings settings;
    for (std::size_t i = 1; i < parts.size(); ++i)
      settings.push_back(parse_setting(parts[i]));
    sources.push_back(plugin_source(name, path, settings));
  }
  return sources;
}

void use_sources(std::vector<Source> sources) {
  chosen() = std::move(sources);
}

const std::vector<Source>& all_sources() {
  return chosen();
}

}  // namespace duet::contract
