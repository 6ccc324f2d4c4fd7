#include "contract/sources.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "transport/fault_injection.h"

namespace duet::contract {
namespace {

using transport::Faults;
using transport::inject_faults;
using transport::load_transport;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t to = std::min(text.find(separator, from), text.size());
    if (to > from) parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

std::pair<std::string, std::string> key_value(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    std::fprintf(stderr, "contract suite: \"%s\" is not NAME=PATH or KEY=VALUE\n", text.c_str());
    std::exit(2);
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

void add_plugins(const std::string& list, std::vector<Source>& sources) {
  for (const std::string& entry : split(list, '|')) {
    const std::vector<std::string> parts = split(entry, ',');
    const auto [name, path] = key_value(parts.front());
    Source source{.name = name, .load = [path = path] { return load_transport(path, {}); }, .settings = {}};
    for (std::size_t i = 1; i < parts.size(); ++i) {
      auto [key, value] = key_value(parts[i]);
      if (key == "memory" && value.starts_with("cuda:")) {
        source.memory = cuda_memory(value.substr(5));
      } else if (key == "devices") {
        source.devices = std::atoi(value.c_str());
      } else if (key == "scope" && value == "process") {
        source.own_process_only = true;
      } else {
        source.settings.emplace_back(std::move(key), std::move(value));
      }
    }
    sources.push_back(std::move(source));
  }
}

std::vector<Source> make_sources() {
  std::vector<Source> sources;
  const auto add_inproc = [&](const char* name, auto load) {
    sources.push_back({.name = name, .load = load, .settings = {}, .own_process_only = true});
  };
  add_inproc("inproc", [] { return load_transport("inproc", {}); });
  add_inproc("inproc_decorated", [] { return inject_faults(load_transport("inproc", {}), Faults{}); });
  add_inproc("inproc_delayed",
             [] { return inject_faults(load_transport("inproc", {}), Faults{.delay = 0.002}); });
#ifdef DUET_CONTRACT_PLUGINS
  add_plugins(DUET_CONTRACT_PLUGINS, sources);
#endif
  const char* more = std::getenv("DUET_CONTRACT_PLUGINS");
  if (more != nullptr) add_plugins(more, sources);
  return sources;
}

}  // namespace

const std::vector<Source>& all_sources() {
  static const std::vector<Source> sources = make_sources();
  return sources;
}

}  // namespace duet::contract
