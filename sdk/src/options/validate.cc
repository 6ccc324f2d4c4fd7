#include "options/validate.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

#include "duet/error.h"
#include "options/address.h"
#include "options/settings.h"

namespace duet {
namespace options {
namespace {

void require_addresses(const Options& options) {
  if (!is_loopback(options.bind) && options.secret.empty() && !options.insecure) {
    throw ConfigurationError(fmt::format(
        "{}: others can reach that address; set DUET_SECRET to a text that all workers of the run share, or "
        "DUET_INSECURE=1 in a network where you trust everyone",
        origin_of(options, "bind")));
  }
  if (options.world_size == 1) return;
  if (options.rendezvous.empty()) {
    throw ConfigurationError(fmt::format(
        "{}: set DUET_RENDEZVOUS, on all workers, to seed://HOST:{} with the host that rank 0 runs on, or "
        "to file:DIRECTORY on a file system that all share",
        origin_of(options, "rendezvous"), kSeedPort));
  }
  const auto seed = parse_seed(options.rendezvous);
  if (!seed) return;
  if (is_loopback(seed->host) && !is_loopback(options.bind) && !is_any(options.bind)) {
    throw ConfigurationError(
        fmt::format("{}, but {}, which does not listen there: use that address in both, on all workers",
                    origin_of(options, "rendezvous"), origin_of(options, "bind")));
  }
  if (!is_loopback(seed->host) && is_loopback(options.bind)) {
    throw ConfigurationError(fmt::format(
        "{} is not on this machine's loopback, but {}, where no other machine can reach this worker; set "
        "DUET_BIND to "
        "this machine's address (or 0.0.0.0) and DUET_SECRET to a text that all workers of the run share",
        origin_of(options, "rendezvous"), origin_of(options, "bind")));
  }
}

void require_graph(const Options& options) {
  if (options.topology_policy != nullptr) return;  // asked when the worker begins
  if (options.topology) {
    if (options.topology->workers() == options.world_size) return;
    throw ConfigurationError(fmt::format("Options::topology has {} workers, but {}",
                                         options.topology->workers(), origin_of(options, "world_size")));
  }
  if (options.world_size == 1) return;
  try {
    Topology::make(options.graph, options.world_size, options.rate);
  } catch (const ConfigurationError& error) {
    throw ConfigurationError(fmt::format("{}: {}", origin_of(options, "graph"), error.what()));
  }
}

}  // namespace

std::string origin_of(const Options& options, const std::string& name) {
  for (const Options::Source& source : options.origins()) {
    if (source.name == name) return fmt::format("{} = {} ({})", name, source.value, source.origin);
  }
  return name;
}

void require_ranks(const Options& options) {
  for (const auto& [name, value] :
       {std::pair("rank", options.rank), std::pair("local_rank", options.local_rank)}) {
    if (value < options.world_size) continue;
    throw ConfigurationError(fmt::format("{}, but {}: ranks are 0 to {}", origin_of(options, name),
                                         origin_of(options, "world_size"), options.world_size - 1));
  }
}

}  // namespace options

void Options::validate() const {
  for (const options::Row& row : options::rows()) {
    if (row.valid(*this)) continue;
    if (row.name == "rendezvous" && (rendezvous.empty() || world_size == 1))
      continue;  // see require_addresses
    throw ConfigurationError(
        fmt::format("{} is not {} ({})", options::origin_of(*this, row.name), row.expected, row.help));
  }
  options::require_ranks(*this);
  options::require_addresses(*this);
  options::require_graph(*this);
  if (gone_after <= heartbeat_interval) {
    throw ConfigurationError(fmt::format("{}, but {}: every worker would be gone between two signs of life",
                                         options::origin_of(*this, "gone_after"),
                                         options::origin_of(*this, "heartbeat_interval")));
  }
}

}  // namespace duet
