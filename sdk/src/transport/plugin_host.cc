#include "transport/plugin_host.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>

#include "support/log.h"
#include "transport/fault_injection.h"
#include "transport/guest_call.h"
#include "transport/inproc.h"
#include "transport/services.h"

namespace duet::transport {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "libduet_transport_";
constexpr const char* kSuffix = ".so";

/// What became of a shared object when it was first asked for: its entry point is called once.
struct Loaded {
  std::shared_ptr<const Transport> transport;
  std::string reason, version, abi;
};

std::mutex& loading_mutex() {
  static std::mutex* const mutex = new std::mutex;
  return *mutex;
}

/// By dlopen's handle, which is the same for the same file under any name. Never destroyed, like what it
/// holds.
std::map<void*, Loaded>& all_loaded() {
  static auto* const loaded = new std::map<void*, Loaded>;
  return *loaded;
}

std::string abi_text(std::uint32_t major, std::uint32_t minor) {
  return fmt::format("{}.{}", major, minor);
}

Loaded call_entry_point(void* handle, const std::string& path) {
  Loaded loaded;
  const auto entry =
      reinterpret_cast<duet_transport_plugin_function>(dlsym(handle, DUET_TRANSPORT_PLUGIN_SYMBOL));
  if (entry == nullptr) {
    loaded.reason =
        fmt::format("has no symbol {}: not a Duet transport plugin", DUET_TRANSPORT_PLUGIN_SYMBOL);
    return loaded;
  }
  char reason[240] = {};
  const duet_transport* table = nullptr;
  loaded.reason = guest_call(path, "in its entry point",
                             [&] { table = entry(&host_services(), reason, sizeof(reason)); });
  if (!loaded.reason.empty()) return loaded;
  reason[sizeof(reason) - 1] = '\0';
  if (table == nullptr) {
    loaded.reason = fmt::format("declined: {}", reason[0] != '\0' ? reason : "it gave no reason");
    return loaded;
  }
  if (table->struct_size >= offsetof(duet_transport, reserved))
    loaded.abi = abi_text(table->abi_major, table->abi_minor);
  const duet_transport* checked = check_table(table, &loaded.reason);
  if (checked == nullptr) return loaded;
  loaded.version = checked->version;
  loaded.transport = std::make_shared<Transport>(checked, path);
  return loaded;
}

std::string self_directory(bool of_program) {
  std::error_code ignored;
  fs::path file;
  if (of_program) {
    file = fs::read_symlink("/proc/self/exe", ignored);
  } else {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&plugin_file_name), &info) != 0 && info.dli_fname != nullptr) {
      file = fs::canonical(info.dli_fname, ignored);
    }
  }
  return file.parent_path().string();
}

std::string plugin_path_from_environment() {
  // Not in a set-user-id program: there the environment is the caller's, not the owner's.
  const char* value = secure_getenv("DUET_PLUGIN_PATH");
  return value == nullptr ? "" : value;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

/// The report of a search that failed, one line per candidate.
class Report {
 public:
  void add(const std::string& where, const std::string& what) {
    lines_ += fmt::format("\n  {}: {}", where, what);
  }
  [[noreturn]] void fail(const std::string& name, const std::string& advice) const {
    throw TransportError(fmt::format("no usable transport \"{}\"; looked at:{}\n{}", name, lines_, advice));
  }

 private:
  std::string lines_;
};

std::shared_ptr<const Transport> load_file(const std::string& path) {
  std::string reason, version, abi;
  auto transport = load_plugin(path, &reason, &version, &abi);
  if (transport == nullptr) {
    Report report;
    report.add(path, reason);
    report.fail(path, "Name a plugin that was built for this version of Duet.");
  }
  return transport;
}

std::shared_ptr<const Transport> load_named(const std::string& name,
                                            const std::vector<std::string>& plugin_path) {
  if (!is_plain_name(name)) {
    throw TransportError(
        fmt::format("\"{}\" is not the name of a transport: letters, digits, '_' and '-', or a path "
                    "with a '/' in it",
                    name));
  }
  Report report;
  const std::string file_name = plugin_file_name(name);
  std::optional<std::string> unusable;
  for (const SearchPlace& place : search_places(plugin_path, plugin_path_from_environment())) {
    const std::string path = place.directory + "/" + file_name;
    const std::string where =
        fmt::format("{} ({})", place.refusal.empty() ? path : place.directory, place.origin);
    std::error_code ignored;
    if (!place.refusal.empty()) {
      report.add(where, place.refusal);
    } else if (!fs::exists(path, ignored)) {
      report.add(where, fs::is_directory(place.directory, ignored) ? "no such file" : "no such directory");
    } else if (unusable) {
      report.add(where, "not tried: " + *unusable + " comes first");
    } else {
      std::string reason, version, abi;
      auto transport = load_plugin(path, &reason, &version, &abi);
      if (transport != nullptr && transport->name() != name) {
        reason = fmt::format("calls itself \"{}\"", transport->name());
        transport = nullptr;
      }
      if (transport != nullptr) return transport;
      report.add(where, reason);
      unusable = path;
    }
  }
  report.fail(name, unusable
                        ? "The first file that is found decides; remove or repair it."
                        : "Install the plugin, or name its directory in plugin_path or DUET_PLUGIN_PATH.");
}

/// asked: the name must be this one's for its settings to count.
TransportCandidate describe(const std::string& name, const Transport& transport,
                            const TransportChoice& asked) {
  const duet_transport& table = transport.table();
  TransportCandidate candidate;
  candidate.name = name;
  candidate.path = transport.path();
  candidate.version = table.version;
  candidate.abi = abi_text(table.abi_major, table.abi_minor);
  candidate.loaded = true;
  duet_probe_result result{};
  result.struct_size = sizeof(result);
  std::vector<duet_setting> settings;
  if (asked.name == name) {
    for (const auto& [key, value] : asked.settings)
      settings.push_back({key.c_str(), value.c_str()});
  }
  duet_status status = DUET_BROKEN;
  const std::string thrown = guest_call(transport.path(), "while it was probed", [&] {
    status = table.probe(settings.data(), static_cast<std::uint32_t>(settings.size()), &result);
  });
  result.reason[sizeof(result.reason) - 1] = '\0';
  candidate.viable = status == DUET_OK && result.viable != 0;
  candidate.reason = !thrown.empty()                                ? thrown
                     : result.reason[0] != '\0' || candidate.viable ? result.reason
                                                                    : status_name(status);
  candidate.capabilities = capability_names(result.capabilities);
  return candidate;
}

std::shared_ptr<const Transport> built_in() {
  static const auto transport = std::make_shared<const Transport>(inproc_transport(), "built in");
  return transport;
}

}  // namespace

std::string plugin_file_name(const std::string& name) {
  return kPrefix + name + kSuffix;
}

std::vector<SearchPlace> search_places(const std::vector<std::string>& plugin_path,
                                       const std::string& environment) {
  std::vector<SearchPlace> places;
  const auto add = [&](const std::string& directory, const char* origin) {
    SearchPlace place{.directory = directory, .origin = origin, .refusal = {}};
    if (directory.empty()) {
      place.directory = "\"\"";
      place.refusal = "empty entry: ignored";
    } else if (directory.front() != '/') {
      place.refusal = "relative to the current directory: ignored, give an absolute path";
    } else {
      std::error_code error;
      const fs::path canonical = fs::canonical(directory, error);
      if (!error) place.directory = canonical.string();
      const bool known = std::any_of(places.begin(), places.end(), [&](const SearchPlace& other) {
        return other.directory == place.directory;
      });
      if (known) return;
    }
    places.push_back(std::move(place));
  };
  for (const std::string& directory : plugin_path)
    add(directory, "plugin_path");
  for (std::size_t from = 0; !environment.empty() && from <= environment.size();) {
    const std::size_t to = std::min(environment.find(':', from), environment.size());
    add(environment.substr(from, to - from), "DUET_PLUGIN_PATH");
    from = to + 1;
  }
  const std::string library = self_directory(false);
  const std::string program = self_directory(true);
  if (!library.empty()) add(library + "/duet", "beside the SDK library");
  if (!library.empty())
    add(fs::path(library + "/../lib/duet").lexically_normal().string(), "beside the SDK library");
  if (!program.empty())
    add(fs::path(program + "/../lib/duet").lexically_normal().string(), "beside the program");
  return places;
}

const duet_transport* check_table(const duet_transport* table, std::string* reason) {
  // The head is the same in every major version, and says whether the rest may be looked at.
  if (table->struct_size < offsetof(duet_transport, name)) {
    *reason = fmt::format("its table has {} bytes, less than the head of any version", table->struct_size);
    return nullptr;
  }
  if (table->abi_major != DUET_TRANSPORT_ABI_MAJOR) {
    *reason = fmt::format(
        "speaks version {} of the plugin ABI, this host speaks {}: build it for this version of Duet",
        abi_text(table->abi_major, table->abi_minor),
        abi_text(DUET_TRANSPORT_ABI_MAJOR, DUET_TRANSPORT_ABI_MINOR));
    return nullptr;
  }
  auto copy = std::make_unique<duet_transport>();
  std::memcpy(copy.get(), table, std::min<std::size_t>(table->struct_size, sizeof(*copy)));
  std::vector<std::string> missing;
#define DUET_REQUIRE(slot) \
  if (copy->slot == nullptr) missing.emplace_back(#slot)
  DUET_REQUIRE(name);
  DUET_REQUIRE(version);
  DUET_REQUIRE(probe);
  DUET_REQUIRE(open_context);
  DUET_REQUIRE(close_context);
  DUET_REQUIRE(get_address);
  DUET_REQUIRE(connect);
  DUET_REQUIRE(accept);
  DUET_REQUIRE(connection_state);
  DUET_REQUIRE(close_connection);
  DUET_REQUIRE(post_send);
  DUET_REQUIRE(post_receive);
  DUET_REQUIRE(poll);
  DUET_REQUIRE(cancel);
#undef DUET_REQUIRE
  if ((copy->register_memory == nullptr) != (copy->unregister_memory == nullptr)) {
    missing.emplace_back(copy->register_memory == nullptr ? "register_memory (unregister_memory is there)"
                                                          : "unregister_memory (register_memory is there)");
  }
  if ((copy->wait_descriptor == nullptr) != (copy->arm == nullptr)) {
    missing.emplace_back(copy->arm == nullptr ? "arm (wait_descriptor is there)"
                                              : "wait_descriptor (arm is there)");
  }
  if (!missing.empty()) {
    *reason = fmt::format("its table of {} bytes lacks {}", table->struct_size, fmt::join(missing, ", "));
    return nullptr;
  }
  return copy.release();
}

std::shared_ptr<const Transport> load_plugin(const std::string& path, std::string* reason,
                                             std::string* version, std::string* abi) {
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  if (error) {
    *reason = error.message();
    return nullptr;
  }
  // One at a time: dlerror() and "the entry point is called once" both ask for it.
  const std::lock_guard lock(loading_mutex());
  void* handle = nullptr;
  guest_call(canonical.string(), "while it was loaded",
             [&] { handle = dlopen(canonical.c_str(), RTLD_NOW | RTLD_LOCAL); });
  if (handle == nullptr) {
    const char* text = dlerror();
    *reason = text == nullptr ? "dlopen failed" : text;
    // The reason stands beside the path already.
    const std::string prefix = canonical.string() + ": ";
    if (reason->starts_with(prefix)) reason->erase(0, prefix.size());
    return nullptr;
  }
  // Never closed, not even when it is turned down: its constructors may have started threads.
  auto found = all_loaded().find(handle);
  if (found == all_loaded().end()) {
    found = all_loaded().emplace(handle, call_entry_point(handle, canonical.string())).first;
  }
  *reason = found->second.reason;
  *version = found->second.version;
  *abi = found->second.abi;
  return found->second.transport;
}

std::vector<std::string> capability_names(std::uint64_t capabilities) {
  static constexpr std::pair<std::uint64_t, const char*> kNames[] = {
      {DUET_CAPABILITY_HOST_MEMORY, "host memory"},
      {DUET_CAPABILITY_CUDA_MEMORY, "cuda memory"},
      {DUET_CAPABILITY_NEEDS_REGISTRATION, "needs registration"},
      {DUET_CAPABILITY_INTEGRITY, "integrity"},
      {DUET_CAPABILITY_EXACT_SIZE, "exact size"},
      {DUET_CAPABILITY_REMOTE, "remote"},
      {DUET_CAPABILITY_EXPERIMENTAL, "experimental"},
  };
  std::vector<std::string> names;
  for (const auto& [bit, name] : kNames) {
    if ((capabilities & bit) != 0) names.emplace_back(name);
    capabilities &= ~bit;
  }
  if (capabilities != 0) names.push_back(fmt::format("unknown ({:#x})", capabilities));
  return names;
}

std::shared_ptr<const Transport> load_transport(const std::string& name,
                                                const std::vector<std::string>& plugin_path,
                                                const std::string& faults) {
  auto transport = name == "inproc"                      ? built_in()
                   : name.find('/') != std::string::npos ? load_file(name)
                                                         : load_named(name, plugin_path);
  return faults.empty() ? transport : inject_faults(std::move(transport), parse_faults(faults));
}

}  // namespace duet::transport

namespace duet {

std::vector<TransportCandidate> discover_transports(const std::vector<std::string>& plugin_path,
                                                    const std::function<bool(const std::string&)>& may_load,
                                                    const std::string& transport,
                                                    const std::string& transport_settings) {
  using namespace transport;  // NOLINT: this function's whole subject
  // Who watches what is loaded does so from another process, and tells of a crash itself.
  const NoCrashNotes quiet(may_load != nullptr);
  TransportChoice asked;
  if (!transport.empty()) asked = parse_choice(transport, transport_settings);
  std::vector<TransportCandidate> candidates{describe("inproc", *built_in(), asked)};
  std::map<std::string, std::string> first;  // by name: the file that load_transport() would take
  for (const SearchPlace& place : search_places(plugin_path, plugin_path_from_environment())) {
    if (!place.refusal.empty()) {
      TransportCandidate refused;
      refused.path = place.directory;
      refused.reason = fmt::format("{}: {}", place.origin, place.refusal);
      candidates.push_back(std::move(refused));
      continue;
    }
    std::vector<std::string> files;
    std::error_code error;
    for (fs::directory_iterator it(place.directory, error), end; !error && it != end; it.increment(error)) {
      const std::string file = it->path().filename().string();
      if (file.starts_with(kPrefix) && file.ends_with(kSuffix)) files.push_back(file);
    }
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
      TransportCandidate candidate;
      candidate.name =
          file.substr(std::strlen(kPrefix), file.size() - std::strlen(kPrefix) - std::strlen(kSuffix));
      candidate.path = place.directory + "/" + file;
      const auto [decides, is_first] = first.emplace(candidate.name, candidate.path);
      if (may_load && !may_load(candidate.path)) {
        candidate.reason = "not loaded";
        candidates.push_back(std::move(candidate));
        continue;
      }
      std::string reason, version, abi;
      const auto loaded = load_plugin(candidate.path, &reason, &version, &abi);
      candidate.version = version;
      candidate.abi = abi;
      candidate.reason = reason;
      if (loaded != nullptr && loaded->name() != candidate.name) {
        candidate.reason = fmt::format("calls itself \"{}\"", loaded->name());
      } else if (loaded != nullptr) {
        const std::string path = candidate.path;
        candidate = describe(candidate.name, *loaded, asked);
        candidate.path = path;
      }
      if (!is_first) {
        candidate.viable = false;
        candidate.reason = fmt::format("hidden by {}, which comes first", decides->second);
      }
      candidates.push_back(std::move(candidate));
    }
  }
  return candidates;
}

}  // namespace duet
