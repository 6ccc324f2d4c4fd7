#include "worker/join.h"

#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "control/host_address.h"
#include "device/registry.h"
#include "duet/error.h"
#include "membership/rendezvous.h"
#include "support/log.h"
#include "telemetry/publisher.h"
#include "transport/selection.h"

namespace duet::worker {
namespace {

/// One line per buffer, and the embedder's own lines: what all workers must share, for people.
std::string schema_of(const std::vector<Buffer>& buffers) {
  std::string text;
  for (const auto& buffer : buffers) {
    text += fmt::format("{}: {} x {}{}\n", buffer.name.empty() ? "(unnamed)" : buffer.name, buffer.count,
                        buffer.dtype == DType::kFloat32 ? "float32" : "bfloat16",
                        buffer.role == BufferRole::kStatistics
                            ? fmt::format(", statistics, every {}", buffer.every)
                            : std::string());
    if (!buffer.schema.empty()) text += buffer.schema + "\n";
  }
  return text;
}

/// What must be the same on all workers besides the model.
std::string shared_options(const Options& options, const Topology& topology) {
  std::string edges;
  for (const auto& edge : topology.edges())
    edges += fmt::format("{} {} {}\n", edge.a, edge.b, edge.rate);
  return fmt::format(
      "algorithm {}\ngraph {} ({:016x})\nwire {}\nblock_bytes {}\nblocks_in_flight {}\ntelemetry_interval "
      "{}\n"
      "seed {}\nheartbeat_interval {}\ngone_after {}\nfinish_timeout {}\naverage_timeout {}\n",
      options.algorithm, topology.name(), XXH3_64bits(edges.data(), edges.size()),
      options.wire == DType::kFloat32 ? "float32" : "bfloat16", options.block_bytes, options.blocks_in_flight,
      options.telemetry_interval, options.seed, options.heartbeat_interval, options.gone_after,
      options.finish_timeout, options.average_timeout);
}

/// Null where it is turned off, or cannot be.
std::unique_ptr<telemetry::Publisher> open_telemetry(const Options& options, const std::string& told) {
  if (options.telemetry_port < 0) return nullptr;
  telemetry::PublisherOptions wanted;
  wanted.bind = options.bind;
  wanted.told = told;
  wanted.secret = options.secret;
  if (options.telemetry_port > 0) wanted.port = options.telemetry_port + options.local_rank;
  return telemetry::open_publisher(wanted, options.rank);
}

/// "10.0.0.7" of "tcp://10.0.0.7:29650".
std::string host_of(const std::string& address) {
  const std::size_t begin = address.find("//") + 2;
  return address.substr(begin, address.rfind(':') - begin);
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

Communication::Joined join(const Options& options, const Topology& topology,
                           const std::vector<Buffer>& buffers) {
  Communication::Joined joined;
  control::ChannelOptions channel;
  channel.bind = options.bind;
  channel.secret = options.secret;
  channel.insecure = options.insecure;
  if (options.rendezvous.starts_with("seed://"))
    channel.toward = membership::parse_seed(options.rendezvous).host;
  if (options.rank == 0 && options.rendezvous.starts_with("seed://")) {
    channel.port = membership::parse_seed(options.rendezvous).port;
  }
  joined.channel = std::make_unique<control::Channel>(channel);

  // Where the others reach this worker's control socket they can reach its data, too.
  const std::string own = host_of(joined.channel->address());
  transport::Wanted wanted;
  wanted.transport = options.transport;
  wanted.settings = options.transport_settings;
  wanted.plugin_path = options.plugin_path;
  wanted.faults = options.faults;
  if (!control::is_loopback(own)) wanted.interface = own;
  wanted.own_process = options.rendezvous.starts_with("local:");
  const auto on_device = std::find_if(buffers.begin(), buffers.end(), [](const Buffer& buffer) {
    return buffer.device == DeviceKind::kCuda;
  });
  if (on_device != buffers.end()) wanted.device = device::open(on_device->device, on_device->device_index);
  auto contexts = transport::open_contexts(wanted);
  joined.publisher = open_telemetry(options, own);

  membership::Entry entry;
  entry.rank = options.rank;
  entry.world_size = options.world_size;
  entry.incarnation = membership::Incarnation::random();
  entry.host = host_name();
  entry.pid = ::getpid();
  entry.control_address = joined.channel->address();
  for (const auto& context : contexts)
    entry.transports.push_back({context->transport_name(), context->address()});
  entry.schema = schema_of(buffers);
  entry.schema_hash = XXH3_64bits(entry.schema.data(), entry.schema.size());
  entry.options = shared_options(options, topology);

  entry.local_rank = options.local_rank;
  if (joined.publisher != nullptr) entry.telemetry_address = joined.publisher->address();

  membership::JoinOptions wait;
  wait.run_id = options.run_id;
  wait.answer_timeout = options.seed_timeout;
  wait.complete_timeout = options.join_timeout;
  joined.roster = membership::make_rendezvous(options.rendezvous, *joined.channel)->join(entry, wait);

  joined.roster.transport = membership::choose_transport(joined.roster.entries);
  for (auto& context : contexts) {
    if (context->transport_name() == joined.roster.transport) joined.context = std::move(context);
  }
  if (contexts.size() > 1 && options.rank == 0)
    support::info("transport \"{}\": the first that all members have", joined.roster.transport);
  return joined;
}

}  // namespace duet::worker
