#include "transport/selection.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <tuple>
#include <utility>

#include "device/registry.h"
#include "support/log.h"
#include "transport/interface.h"

namespace duet::transport {
namespace {

constexpr const char* kAuto = "auto";
constexpr const char* kInproc = "inproc";
constexpr const char* kDevice = "device";

/// The device on which a transport works that moves CUDA memory only; null: it is none of those, or there is
/// no device.
std::shared_ptr<device::Device> device_for(const Transport& transport, Settings& settings,
                                           const std::shared_ptr<device::Device>& own) {
  constexpr std::uint64_t kBoth = DUET_CAPABILITY_HOST_MEMORY | DUET_CAPABILITY_CUDA_MEMORY;
  if (own == nullptr || (capabilities_of(transport, settings) & kBoth) != DUET_CAPABILITY_CUDA_MEMORY)
    return nullptr;
  const auto named = std::find_if(settings.begin(), settings.end(),
                                  [](const auto& setting) { return setting.first == kDevice; });
  if (named == settings.end()) {
    add_setting(transport, settings, kDevice, std::to_string(own->index()));
    return own;
  }
  const std::string& text = named->second;
  int index = own->index();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  // What is no number the transport refuses.
  if (error != std::errc() || end != text.data() + text.size() || index == own->index()) return own;
  return device::open(DeviceKind::kCuda, index);
}

std::unique_ptr<Context> open(const std::string& name, Settings settings, const Wanted& wanted) {
  const auto transport = load_transport(name, wanted.plugin_path, wanted.faults);
  // Where the others reach this worker's control socket they can reach its data, too.
  if (!wanted.interface.empty()) add_interface(*transport, settings, wanted.interface);
  const auto device = device_for(*transport, settings, wanted.device);
  return std::make_unique<Context>(transport, settings, device);
}

/// Why a candidate is left out; empty: it is not.
std::string objection(const TransportCandidate& candidate, const Wanted& wanted) {
  const auto has = [&](const char* name) {
    const auto& names = candidate.capabilities;
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!candidate.loaded || !candidate.viable)
    return candidate.reason.empty() ? "not viable" : candidate.reason;
  if (has("experimental")) return "experimental: name it to use it";
  if (candidate.name == kInproc && !wanted.own_process) return "reaches this process only";
  if (!has("host memory") && wanted.device == nullptr)
    return "moves no host memory, and this worker's parameters are there";
  return {};
}

std::vector<std::unique_ptr<Context>> open_all(const Wanted& wanted) {
  if (!wanted.settings.empty()) {
    throw ConfigurationError(
        "transport_settings are for one transport: name it, transport = \"auto\" may choose another");
  }
  std::vector<std::unique_ptr<Context>> contexts;
  std::string report;
  const auto loses = [&](const TransportCandidate& candidate, const std::string& why) {
    const std::string name = candidate.name.empty() ? candidate.path : candidate.name;
    support::debug("transport auto: not {}: {}", name, why);
    report += fmt::format("\n  {} ({}): {}", name, candidate.path, why);
  };
  for (const TransportCandidate& candidate : discover_transports(wanted.plugin_path)) {
    if (const std::string why = objection(candidate, wanted); !why.empty()) {
      loses(candidate, why);
      continue;
    }
    try {
      contexts.push_back(open(candidate.name, {}, wanted));
    } catch (const Error& error) {
      loses(candidate, error.what());
    }
  }
  if (contexts.empty()) throw TransportError("transport auto: none can be used here:" + report);
  std::stable_sort(contexts.begin(), contexts.end(), [](const auto& first, const auto& second) {
    return stands_before({first->transport_name(), first->capabilities()},
                         {second->transport_name(), second->capabilities()});
  });
  if (!report.empty()) {
    static std::atomic<bool> said{false};
    if (!said.exchange(true)) support::info("transport auto: left out are{}", report);
  }
  return contexts;
}

}  // namespace

bool stands_before(const Standing& first, const Standing& second) {
  const auto key = [](const Standing& standing) {
    const bool remote = (standing.capabilities & DUET_CAPABILITY_REMOTE) != 0;
    return std::make_tuple(!remote, standing.name);
  };
  return key(first) < key(second);
}

std::vector<std::unique_ptr<Context>> open_contexts(const Wanted& wanted) {
  if (wanted.transport == kAuto) return open_all(wanted);
  TransportChoice choice = parse_choice(wanted.transport, wanted.settings);
  std::vector<std::unique_ptr<Context>> one;
  one.push_back(open(choice.name, std::move(choice.settings), wanted));
  return one;
}

}  // namespace duet::transport
