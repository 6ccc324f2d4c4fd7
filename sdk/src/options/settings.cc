#include "options/settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "duet/algorithm.h"
#include "duet/error.h"
#include "options/address.h"
#include "support/key_values.h"
#include "topology/checks.h"
#include "topology/numbers.h"

namespace duet::options {
namespace {

template <typename Number>
Row whole(const char* name, Number Options::*field, Number least, const char* help) {
  return {name,
          help,
          fmt::format("a whole number, at least {}", least),
          [field](Options& options, const std::string& text) {
            const auto value = topology::parse_number<Number>(text);
            if (value) options.*field = *value;
            return value.has_value();
          },
          [field](const Options& options) { return std::to_string(options.*field); },
          [field, least](const Options& options) { return options.*field >= least; }};
}

struct Range {
  double least, most;
  const char* text;
};
/// Longer times overflow where they become nanoseconds, and multiples of these.
constexpr double kLongest = 1e8;
constexpr Range kPositive{std::numeric_limits<double>::min(), kLongest, "a positive number, at most 1e8"};
constexpr Range kNotNegative{0.0, kLongest, "a number from 0 to 1e8"};
constexpr Range kRates{topology::kLeastRate, topology::kMostRate, "a positive number from 1e-6 to 1e6"};

Row real(const char* name, double Options::*field, Range range, const char* help) {
  return {name,
          help,
          range.text,
          [field](Options& options, const std::string& text) {
            const auto value = topology::parse_number<double>(text);
            if (value) options.*field = *value;
            return value.has_value();
          },
          [field](const Options& options) { return fmt::format("{}", options.*field); },
          [field, range](const Options& options) {
            const double value = options.*field;
            return value >= range.least && value <= range.most;
          }};
}

Row flag(const char* name, bool Options::*field, const char* help) {
  return {name,
          help,
          "1 or 0 (or true, false, yes, no, on, off)",
          [field](Options& options, const std::string& text) {
            const bool on = text == "1" || text == "true" || text == "yes" || text == "on";
            const bool off = text == "0" || text == "false" || text == "no" || text == "off";
            if (on || off) options.*field = on;
            return on || off;
          },
          [field](const Options& options) { return std::string(options.*field ? "1" : "0"); },
          [](const Options&) { return true; }};
}

Row text(const char* name, std::string Options::*field, std::string expected, const char* help,
         std::function<bool(const std::string&)> valid) {
  return {name,
          help,
          std::move(expected),
          [field](Options& options, const std::string& value) {
            options.*field = value;
            return true;
          },
          [field](const Options& options) { return options.*field; },
          [field, valid = std::move(valid)](const Options& options) { return valid(options.*field); }};
}

Row choice(const char* name, std::string Options::*field, std::vector<std::string> choices,
           const char* help) {
  std::string expected = fmt::format("one of {}", fmt::join(choices, ", "));
  return text(name, field, std::move(expected), help,
              [choices = std::move(choices)](const std::string& value) {
                return std::find(choices.begin(), choices.end(), value) != choices.end();
              });
}

bool anything(const std::string&) {
  return true;
}

bool no_blanks(const std::string& value) {
  return !value.empty() &&
         std::none_of(value.begin(), value.end(), [](unsigned char c) { return std::isspace(c); });
}

bool known_algorithm(const std::string& name) {
  try {
    algorithm_kind(name);
    return true;
  } catch (const ConfigurationError&) {
    return false;
  }
}

/// Whether there is such a graph at all; whether it fits the number of workers is only known later.
bool known_graph(const std::string& description) {
  constexpr std::string_view kFile = "file:";
  if (description.starts_with(kFile)) return description.size() > kFile.size();
  try {
    Topology::make(description, 1);
    return true;
  } catch (const ConfigurationError&) {
    return false;
  }
}

bool known_rendezvous(const std::string& value) {
  if (parse_seed(value)) return true;
  for (const std::string_view scheme : {"file:", "local:"}) {
    if (value.starts_with(scheme) && value.size() > scheme.size()) return true;
  }
  return false;
}

/// "65536", "64KiB", "1M": powers of 1024.
bool read_bytes(Options& options, const std::string& text) {
  std::size_t digits = 0;
  while (digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits])) != 0)
    ++digits;
  const auto count = topology::parse_number<std::uint64_t>(std::string_view(text).substr(0, digits));
  const std::string unit = text.substr(digits);
  static const std::vector<std::pair<std::string, int>> units = {
      {"", 0}, {"B", 0}, {"K", 10}, {"KiB", 10}, {"M", 20}, {"MiB", 20}, {"G", 30}, {"GiB", 30}};
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const auto& known) { return known.first == unit; });
  if (!count || found == units.end()) return false;
  if (*count > std::numeric_limits<std::size_t>::max() >> found->second) return false;
  options.block_bytes = static_cast<std::size_t>(*count) << found->second;
  return true;
}

bool read_wire(Options& options, const std::string& text) {
  if (text == "float32" || text == "fp32") {
    options.wire = DType::kFloat32;
  } else if (text == "bfloat16" || text == "bf16") {
    options.wire = DType::kBFloat16;
  } else {
    return false;
  }
  return true;
}

bool read_paths(Options& options, const std::string& text) {
  std::vector<std::string> paths;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(':', at), text.size());
    if (end == at) return false;  // an empty entry would mean the current directory, which is never searched
    paths.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  options.plugin_path = std::move(paths);
  return true;
}

/// A port of local rank 0, of which the others' count up.
Row port(const char* name, int Options::*field, const char* help) {
  return {name,
          help,
          "a port from 1 to 65535, 0 for any, or off",
          [field](Options& options, const std::string& text) {
            if (text == "off") {
              options.*field = -1;
              return true;
            }
            const auto value = topology::parse_number<int>(text);
            if (value) options.*field = *value;
            return value.has_value();
          },
          [field](const Options& options) {
            return options.*field == -1 ? std::string("off") : std::to_string(options.*field);
          },
          [field](const Options& options) { return options.*field >= -1 && options.*field <= 65535; }};
}

std::vector<Row> make_rows() {
  std::vector<Row> table;
  const auto add = [&](Row row) -> Row& { return table.emplace_back(std::move(row)); };

  add(whole("rank", &Options::rank, 0, "this worker's number, 0 to world_size - 1"));
  add(whole("world_size", &Options::world_size, 1, "how many workers there are"));
  add(whole("local_rank", &Options::local_rank, 0, "this worker's number on its machine"));
  add(text("run_id", &Options::run_id, "a name", "what this run is called; empty: the seed chooses",
           anything));

  add(text("rendezvous", &Options::rendezvous, "seed://HOST:PORT, file:DIRECTORY or local:NAME",
           "where workers find each other", known_rendezvous));
  add(text("bind", &Options::bind, "an address, a host name or a network interface",
           "what control and data sockets listen on; anything but loopback needs secret or insecure",
           no_blanks));
  add(text("secret", &Options::secret, "a text",
           "shared by the run; encrypts and authenticates control messages", anything))
      .secret = true;
  add(flag("insecure", &Options::insecure, "listen on other addresses than loopback without a secret"));
  add(real("seed_timeout", &Options::seed_timeout, kPositive,
           "seconds until the seed answers at all (seed:// only)"));
  add(real("join_timeout", &Options::join_timeout, kPositive,
           "seconds from then, or the start, until all workers are there"));

  add(text("algorithm", &Options::algorithm, "one of a2cid2, adpsgd, allreduce, dpsgd, local-sgd",
           "how workers average", known_algorithm));
  add(text("graph", &Options::graph, fmt::format("one of {}", fmt::join(Topology::known(), ", ")),
           "who meets whom", known_graph));
  add(real("rate", &Options::rate, kRates, "meetings per gradient step and worker"));
  add(choice("clock", &Options::clock, {"adaptive", "wall", "meetings"}, "what momentum counts as time"));
  add(choice("pairing", &Options::pairing, {"holdoff", "fifo", "target"}, "how partners are chosen"));
  add(flag("deterministic_budget", &Options::deterministic_budget,
           "exactly the rate in every step, not Poisson"));
  add(flag("unlimited_budget", &Options::unlimited_budget, "meet all the time, whatever the trainer does"));
  add(flag("keep_start", &Options::keep_start, "start from own parameters, not from rank 0's"));
  add(whole<std::uint64_t>("seed", &Options::seed, 0, "of everything random; the same on all workers"));

  add(text("transport", &Options::transport, "NAME, NAME:PROVIDER (e.g. libfabric:tcp) or auto",
           "what moves the blocks", [](const std::string& value) {
             return no_blanks(value) && value.front() != ':' && value.back() != ':';
           }));
  add(text("transport_settings", &Options::transport_settings,
           "KEY=VALUE with commas between several, e.g. interface=eth1,port_range=29900-29999",
           "what the transport is told besides", [](const std::string& value) {
             try {
               support::parse_key_values(value, "transport_settings");
               return true;
             } catch (const ConfigurationError&) {
               return false;
             }
           }));
  Row& paths =
      add({"plugin_path", "directories to search for transports before DUET_PLUGIN_PATH",
           "directories with colons between them", read_paths,
           [](const Options& options) { return fmt::format("{}", fmt::join(options.plugin_path, ":")); },
           [](const Options&) { return true; }});
  paths.has_variable = false;  // DUET_PLUGIN_PATH is the loader's, and comes after this
  add(text("faults", &Options::faults, "a list such as delay=0.002,drop=0.01", "faults to inject, for tests",
           anything));
  add({"wire", "element type on the wire", "float32 or bfloat16", read_wire,
       [](const Options& options) {
         return std::string(options.wire == DType::kFloat32 ? "float32" : "bfloat16");
       },
       [](const Options& options) {
         return options.wire == DType::kFloat32 || options.wire == DType::kBFloat16;
       }});
  add({"block_bytes", "bytes of parameters per block", "a number of bytes, a multiple of 4, e.g. 1MiB",
       read_bytes, [](const Options& options) { return std::to_string(options.block_bytes); },
       [](const Options& options) { return options.block_bytes >= 4 && options.block_bytes % 4 == 0; }});
  add(whole("blocks_in_flight", &Options::blocks_in_flight, 1, "blocks on their way at a time"));
  add(real("meeting_timeout", &Options::meeting_timeout, kPositive,
           "seconds without progress until a meeting is broken off"));
  add(real("connect_timeout", &Options::connect_timeout, kPositive, "seconds to connect to a peer"));

  add(whole<std::uint64_t>("sample_goal", &Options::sample_goal, 0,
                           "the run is done at this many samples; 0: the program decides"));
  add(real("finish_timeout", &Options::finish_timeout, kPositive,
           "seconds that finish() waits for others to finish training"));
  add(real("average_timeout", &Options::average_timeout, kPositive,
           "seconds without progress until an average is tried again"));

  add(real("heartbeat_interval", &Options::heartbeat_interval, kPositive, "seconds between signs of life"));
  add(real("gone_after", &Options::gone_after, kPositive, "seconds of silence until a worker is gone"));
  add(real("telemetry_interval", &Options::telemetry_interval, kNotNegative,
           "seconds between estimates of the consensus distance; 0: off"));
  add(port("telemetry_port", &Options::telemetry_port,
           "where local rank 0's telemetry is; the others' ports count up"));
  add(port("metrics_port", &Options::metrics_port,
           "where local rank 0 serves Prometheus metrics; the others' ports count up"));
  return table;
}

}  // namespace

std::string Row::variable() const {
  if (!has_variable) return {};
  std::string upper = "DUET_" + name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  return upper;
}

std::string Row::show(const Options& options) const {
  std::string value = write(options);
  return secret && !value.empty() ? "(hidden)" : value;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table = make_rows();
  return table;
}

const Row* find_row(std::string_view name) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  const auto found =
      std::find_if(rows().begin(), rows().end(), [&](const Row& row) { return row.name == wanted; });
  return found == rows().end() ? nullptr : &*found;
}

}  // namespace duet::options
