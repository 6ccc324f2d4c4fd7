#include "transport/interface.h"

#include <algorithm>
#include <vector>

#include "support/log.h"

namespace duet::transport {
namespace {

constexpr const char* kInterface = "interface";

duet_status probe(const Transport& transport, const Settings& settings) {
  std::vector<duet_setting> list;
  list.reserve(settings.size());
  for (const auto& [key, value] : settings)
    list.push_back({key.c_str(), value.c_str()});
  duet_probe_result result{};
  result.struct_size = sizeof(result);
  return transport.table().probe(list.data(), static_cast<std::uint32_t>(list.size()), &result);
}

}  // namespace

void add_interface(const Transport& transport, Settings& settings, const std::string& address) {
  const bool given = std::any_of(settings.begin(), settings.end(),
                                 [](const auto& setting) { return setting.first == kInterface; });
  if (given) return;
  Settings with = settings;
  with.emplace_back(kInterface, address);
  // A refused setting is a key that it does not know: the address is certainly one of this machine's. If the
  // other settings are what it refuses, opening will say so.
  if (probe(transport, with) == DUET_MISUSE && probe(transport, settings) != DUET_MISUSE) {
    support::debug("transport \"{}\" is not told an interface: it knows no such setting", transport.name());
    return;
  }
  settings = std::move(with);
}

}  // namespace duet::transport
