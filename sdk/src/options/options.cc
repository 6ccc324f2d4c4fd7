#include "duet/options.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "duet/error.h"
#include "options/address.h"
#include "options/launcher.h"
#include "options/misspelt.h"
#include "options/settings.h"
#include "options/validate.h"
#include "support/log.h"

namespace duet {
namespace {

using options::Found;
using options::origin_of;
using options::Place;
using options::Row;

const Row& require_row(std::string_view name) {
  if (const Row* row = options::find_row(name)) return *row;
  std::vector<std::string> names;
  for (const Row& row : options::rows())
    names.push_back(row.name);
  throw ConfigurationError(
      fmt::format("there is no setting \"{}\"; there are {}", name, fmt::join(names, ", ")));
}

void record(Options& options, const Row& row, const std::string& origin) {
  auto& sources = options.sources;
  const auto known = std::find_if(sources.begin(), sources.end(),
                                  [&](const Options::Source& source) { return source.name == row.name; });
  Options::Source& source = known == sources.end() ? sources.emplace_back() : *known;
  source = {row.name, row.show(options), origin};
}

/// "DUET_RATE=fast is not a positive number (rate: meetings per …)"
void read(Options& options, const Row& row, const std::string& text, const std::string& called,
          const std::string& origin) {
  const auto refuse = [&](const std::string& why) {
    throw ConfigurationError(fmt::format("{} {} ({}: {})", called, why, row.name, row.help));
  };
  if (text.empty()) refuse("is empty: unset it for the default");
  Options changed = options;
  if (!row.read(changed, text) || !row.valid(changed)) refuse("is not " + row.expected);
  options = std::move(changed);
  record(options, row, origin);
}

bool is_set(const Options& options, const std::string& name) {
  return std::any_of(options.sources.begin(), options.sources.end(),
                     [&](const Options::Source& source) { return source.name == name; });
}

template <typename T>
void take(Options& options, const char* name, T Options::*field, const std::optional<Found<T>>& found) {
  if (!found || is_set(options, name)) return;
  options.*field = found->value;
  record(options, require_row(name), found->origin);
}

/// Where rank 0 listens, as far as it can be known.
void derive_rendezvous(Options& options, const Place& place) {
  if (is_set(options, "rendezvous") || options.world_size == 1 || place.launcher.empty()) return;
  const Row& row = require_row("rendezvous");
  if (place.one_machine.value_or(false)) {
    // The machine's name, which launchers give even then, is often no address that a loopback socket listens
    // on.
    const bool loopback = options::is_loopback(options.bind) || options::is_any(options.bind);
    options.rendezvous = options::write_seed(loopback ? "127.0.0.1" : options.bind, options::kSeedPort);
    record(options, row, place.launcher + ": one machine");
  } else if (place.host) {
    options.rendezvous = options::write_seed(place.host->value, options::kSeedPort);
    record(options, row, place.host->origin);
  } else if (place.one_machine.has_value()) {
    options.rendezvous.clear();  // validate() says what to do, unless the program knows
    record(options, row, place.launcher + " does not say where rank 0 is");
  }
}

void find_rank(Options& options, const options::Variables& variables) {
  const bool told = is_set(options, "rank") && is_set(options, "world_size");
  const Place place = told ? Place{} : options::find_place(variables);
  take(options, "rank", &Options::rank, place.rank);
  take(options, "world_size", &Options::world_size, place.world_size);
  take(options, "local_rank", &Options::local_rank, place.local_rank);
  take(options, "run_id", &Options::run_id, place.run_id);
  const bool alone = !is_set(options, "rank") && (!is_set(options, "world_size") || options.world_size == 1);
  if (alone) {
    record(options, require_row("rank"), "one process");
    if (!is_set(options, "world_size")) record(options, require_row("world_size"), "one process");
  }
  if (!is_set(options, "world_size")) {
    throw ConfigurationError(fmt::format(
        "{}, but nothing says how many workers there are: set DUET_WORLD_SIZE", origin_of(options, "rank")));
  }
  if (!is_set(options, "rank")) {
    throw ConfigurationError(fmt::format("{}, but nothing says which of them this is: set DUET_RANK",
                                         origin_of(options, "world_size")));
  }
  derive_rendezvous(options, place);
}

}  // namespace

Options Options::from_variables(const std::map<std::string, std::string>& variables) {
  Options options;
  for (const Row& row : options::rows()) {
    const std::string name = row.variable();
    const auto found = name.empty() ? variables.end() : variables.find(name);
    if (found == variables.end()) continue;
    read(options, row, found->second, row.secret ? name : name + "=" + found->second, name);
  }
  find_rank(options, variables);
  options::require_ranks(options);
  return options;
}

Options Options::from_environment() {
  options::Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.try_emplace(std::string(text.substr(0, equals)), text.substr(equals + 1));
  }
  for (const auto& [name, meant] : options::find_unknown(variables)) {
    if (!meant.empty()) {
      support::warning("{} is no setting and is ignored; did you mean {}?", name, meant);
    } else {  // a program may have variables of its own
      support::debug("{} is no setting and is ignored", name);
    }
  }
  return from_variables(variables);
}

void Options::set(std::string_view name, const std::string& text, const std::string& origin) {
  const Row& row = require_row(name);
  const std::string called = row.secret ? row.name : fmt::format("{} = {}", row.name, text);
  read(*this, row, text, fmt::format("{} ({})", called, origin), origin);
}

std::string Options::get(std::string_view name) const {
  return require_row(name).show(*this);
}

const std::vector<Options::Setting>& Options::settings() {
  static const std::vector<Setting> all = [] {
    const Options defaults;
    std::vector<Setting> list;
    for (const Row& row : options::rows()) {
      list.push_back({row.name, row.variable(), row.help, row.expected, row.write(defaults)});
    }
    return list;
  }();
  return all;
}

std::vector<Options::Source> Options::origins() const {
  const Options defaults;
  std::vector<Source> result;
  for (const Row& row : options::rows()) {
    const std::string value = row.show(*this);
    const auto known = std::find_if(sources.begin(), sources.end(),
                                    [&](const Source& source) { return source.name == row.name; });
    if (known != sources.end() && known->value == value) {
      result.push_back(*known);
    } else {
      result.push_back({row.name, value, value == row.show(defaults) ? "default" : "program"});
    }
  }
  return result;
}

}  // namespace duet
