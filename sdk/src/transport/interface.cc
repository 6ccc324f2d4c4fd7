#include "transport/interface.h"

#include <algorithm>
#include <vector>

#include "support/log.h"
#include "transport/guest_call.h"

namespace duet::transport {
namespace {

struct Probed {
  duet_status status = DUET_BROKEN;
  std::uint64_t capabilities = 0;
};

/// What it throws is for whoever opens it to report.
Probed probe(const Transport& transport, const Settings& settings) {
  std::vector<duet_setting> list;
  list.reserve(settings.size());
  for (const auto& [key, value] : settings)
    list.push_back({key.c_str(), value.c_str()});
  duet_probe_result result{};
  result.struct_size = sizeof(result);
  Probed probed;
  const std::string thrown = guest_call(transport.path(), "while it was probed", [&] {
    probed.status = transport.table().probe(list.data(), static_cast<std::uint32_t>(list.size()), &result);
  });
  if (!thrown.empty()) support::debug("transport \"{}\" {}", transport.name(), thrown);
  probed.capabilities = result.capabilities;
  return probed;
}

}  // namespace

void add_setting(const Transport& transport, Settings& settings, const std::string& key,
                 const std::string& value) {
  const bool given = std::any_of(settings.begin(), settings.end(),
                                 [&](const auto& setting) { return setting.first == key; });
  if (given) return;
  Settings with = settings;
  with.emplace_back(key, value);
  // A refused setting is a key that it does not know. If the other settings are what it refuses, opening will
  // say so.
  if (probe(transport, with).status == DUET_MISUSE && probe(transport, settings).status != DUET_MISUSE) {
    support::debug("transport \"{}\" is not told its {}: it knows no such setting", transport.name(), key);
    return;
  }
  settings = std::move(with);
}

void add_interface(const Transport& transport, Settings& settings, const std::string& address) {
  add_setting(transport, settings, "interface", address);
}

std::uint64_t capabilities_of(const Transport& transport, const Settings& settings) {
  return probe(transport, settings).capabilities;
}

}  // namespace duet::transport
