#include "plugin-check/loading.h"

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "shared/child_process.h"
#include "transport/plugin_host.h"
#include "transport/services.h"

namespace duet::plugin_check {
namespace {

using Json = nlohmann::json;
using Body = std::function<void(const tools::Say&)>;

constexpr const char* kGroup = "Loading";
constexpr std::size_t kReasonBytes = 64;

/// One check of this group. `body` says {"broken": text} for what it finds, and other things for on_line.
Verdict check(const char* name, std::vector<std::string> rules, std::chrono::milliseconds patience,
              const Body& body, const std::function<void(const Json&)>& on_line = {}) {
  Verdict verdict;
  verdict.group = kGroup;
  verdict.name = name;
  verdict.rules = std::move(rules);
  const auto start = std::chrono::steady_clock::now();
  const std::string end = tools::run_in_child(body, patience, [&](const std::string& line) {
    const Json json = Json::parse(line);
    if (json.contains("broken")) {
      verdict.failures.push_back(json["broken"].get<std::string>());
    } else if (on_line) {
      on_line(json);
    }
  });
  if (!end.empty()) verdict.failures.push_back("the plugin " + end);
  verdict.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!verdict.failures.empty()) verdict.kind = Verdict::Kind::kBroken;
  return verdict;
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void say_broken(const tools::Say& say, const std::string& text) {
  say(dump({{"broken", text}}));
}

/// Asks the entry point as a host with these services would, and gives whatever it wrote as its reason. Says
/// what is wrong with a reason.
const duet_transport* ask(const tools::Say& say, const std::string& path, const duet_services& services,
                          std::string* reason) {
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  const auto entry =
      reinterpret_cast<duet_transport_plugin_function>(dlsym(handle, DUET_TRANSPORT_PLUGIN_SYMBOL));
  if (entry == nullptr) throw std::runtime_error("no entry point");
  std::array<char, kReasonBytes + 16> buffer;
  buffer.fill('#');
  const duet_transport* const table = entry(&services, buffer.data(), kReasonBytes);
  for (std::size_t i = kReasonBytes; i < buffer.size(); ++i) {
    if (buffer[i] == '#') continue;
    say_broken(say, "the entry point wrote beyond reason_bytes");
    return nullptr;
  }
  const std::string untouched(kReasonBytes, '#');
  if (table == nullptr && untouched.compare(0, kReasonBytes, buffer.data(), kReasonBytes) == 0) {
    say_broken(say, "the entry point returned null and wrote no reason");
    return nullptr;
  }
  if (table == nullptr && std::memchr(buffer.data(), '\0', kReasonBytes) == nullptr) {
    say_broken(say, "the entry point returned null with a reason that does not end within reason_bytes");
    return nullptr;
  }
  if (table == nullptr && buffer[0] == '\0')
    say_broken(say, "the entry point returned null with an empty reason");
  *reason = table == nullptr ? buffer.data() : "";
  return table;
}

Verdict check_table(const std::string& path, std::chrono::milliseconds patience, Identity* identity) {
  const auto body = [&](const tools::Say& say) {
    std::string reason, version, abi;
    const auto loaded = transport::load_plugin(path, &reason, &version, &abi);
    if (loaded == nullptr) return say_broken(say, reason);
    const std::string file = path.substr(path.rfind('/') + 1), prefix = "libduet_transport_", suffix = ".so";
    if (file.starts_with(prefix) && file.ends_with(suffix) &&
        file != transport::plugin_file_name(loaded->name())) {
      say_broken(say, "the table's name is \"" + loaded->name() + "\", the file's is " + file);
    }
    say(dump({{"name", loaded->name()}, {"version", version}, {"abi", abi}}));
  };
  return check("GivesATable", {"LOAD-1", "LOAD-2", "LOAD-3", "LOAD-6"}, patience, body,
               [&](const Json& json) {
                 json.at("name").get_to(identity->name);
                 json.at("version").get_to(identity->version);
                 json.at("abi").get_to(identity->abi);
               });
}

Verdict check_other_major(const std::string& path, std::chrono::milliseconds patience) {
  return check(
      "DeclinesAHostOfAnotherMajorVersion", {"LOAD-5", "LOAD-2"}, patience, [&](const tools::Say& say) {
        duet_services services = transport::host_services();
        services.abi_major = DUET_TRANSPORT_ABI_MAJOR + 1;
        std::string reason;
        if (ask(say, path, services, &reason) != nullptr)
          say_broken(say,
                     "it gave its table to a host of version " + std::to_string(services.abi_major) + ".0");
      });
}

Verdict check_no_services(const std::string& path, std::chrono::milliseconds patience) {
  return check("SurvivesAHostWithoutServices", {"LOAD-5", "LOAD-2"}, patience, [&](const tools::Say& say) {
    std::string reason;
    // As large as its head, with pointers behind it that nobody may follow.
    duet_services services = transport::host_services();
    services.struct_size = offsetof(duet_services, log);
    std::memset(reinterpret_cast<char*>(&services) + services.struct_size, 0x5a,
                sizeof(services) - services.struct_size);
    ask(say, path, services, &reason);
  });
}

Verdict check_probe(const std::string& path, const transport::Settings& settings,
                    std::chrono::milliseconds patience, Identity* identity) {
  const auto body = [&](const tools::Say& say) {
    std::string reason, version, abi;
    const auto loaded = transport::load_plugin(path, &reason, &version, &abi);
    if (loaded == nullptr) return say_broken(say, reason);
    std::vector<duet_setting> c_settings;
    for (const auto& [key, value] : settings)
      c_settings.push_back({key.c_str(), value.c_str()});
    duet_probe_result result{};
    result.struct_size = sizeof(result);
    const duet_status status =
        loaded->table().probe(c_settings.data(), static_cast<std::uint32_t>(c_settings.size()), &result);
    const bool ends = std::memchr(result.reason, '\0', sizeof(result.reason)) != nullptr;
    if (!ends) return say_broken(say, "the reason of its probe() does not end");
    if (status != DUET_OK && result.reason[0] == '\0')
      say_broken(say,
                 std::string("probe() failed (") + transport::status_name(status) + ") without a reason");
    if (status == DUET_OK && result.viable == 0 && result.reason[0] == '\0')
      say_broken(say, "probe() says \"not viable\" without a reason");
    constexpr std::uint64_t kLeast = std::uint64_t{1} << 21;
    if (result.viable != 0 && result.largest_message != 0 && result.largest_message < kLeast) {
      say_broken(say, "largest_message is " + std::to_string(result.largest_message) + ", the least is " +
                          std::to_string(kLeast));
    }
    say(dump({{"viable", status == DUET_OK && result.viable != 0},
              {"reason", result.reason},
              {"capabilities", result.capabilities},
              {"largest_message", result.largest_message}}));
  };
  return check("Probes", {"PROBE-1", "PROBE-4", "LOAD-4"}, patience, body, [&](const Json& json) {
    json.at("viable").get_to(identity->viable);
    json.at("reason").get_to(identity->reason);
    json.at("capabilities").get_to(identity->capabilities);
    json.at("largest_message").get_to(identity->largest_message);
  });
}

}  // namespace

std::vector<Verdict> check_loading(const std::string& path, const transport::Settings& settings,
                                   std::chrono::milliseconds patience, Identity* identity) {
  std::vector<Verdict> verdicts{check_table(path, patience, identity)};
  if (verdicts.front().kind == Verdict::Kind::kBroken) return verdicts;
  verdicts.push_back(check_other_major(path, patience));
  verdicts.push_back(check_no_services(path, patience));
  verdicts.push_back(check_probe(path, settings, patience, identity));
  return verdicts;
}

}  // namespace duet::plugin_check
