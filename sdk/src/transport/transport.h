#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/device.h"
#include "duet/error.h"
#include "duet/plugin/transport.h"
#include "duet/transports.h"

/// The host's side of the plugin ABI: loading, and C++ faces of its handles. In-process transport and
/// decorators are the same C table, so there is one way to use a transport.
namespace duet::transport {

/// A loaded transport: a checked table. Never unloaded (threads of a plugin may live on). Thread-safe.
class Transport {
 public:
  explicit Transport(const duet_transport* table, std::string path) : table_(table), path_(std::move(path)) {}
  const duet_transport& table() const { return *table_; }
  std::string name() const { return table_->name; }
  const std::string& path() const { return path_; }

 private:
  const duet_transport* table_;
  std::string path_;
};

using Settings = std::vector<std::pair<std::string, std::string>>;

/// "NAME[:provider]" split; the provider becomes the setting "provider". `settings`: more of them, as
/// Options::transport_settings has them. Throws ConfigurationError, also when both name a provider.
struct TransportChoice {
  std::string name;
  Settings settings;
};
TransportChoice parse_choice(const std::string& text, const std::string& settings = {});

/// Finds and loads the transport called `name`. Throws TransportError with a report of every candidate that
/// was looked at and why it lost. A name with a '/' in it is the path of a plugin; any other is looked for as
/// libduet_transport_NAME.so in plugin_path, DUET_PLUGIN_PATH, and duet/ beside libduet.so; "inproc" is built
/// in. The first file that is found decides: when it cannot be used, that is the error, and no other takes
/// its place. faults: empty, or a description for the fault-injecting decorator (fault_injection.h).
std::shared_ptr<const Transport> load_transport(const std::string& name,
                                                const std::vector<std::string>& plugin_path,
                                                const std::string& faults = {});

/// The services that plugins get: log, clock, counters.
const duet_services& host_services();
/// Nanoseconds on the clock of duet_services::now_ns.
std::uint64_t now_ns();

class Connection;
class HostPassage;

/// A worker's endpoint. All calls from one thread, those of its connections included. Callbacks may post, and
/// may make and destroy connections, but not destroy the context.
class Context {
 public:
  /// Throws TransportError with the plugin's reason when probe or open fail. device: through which host
  /// memory passes where the transport moves CUDA memory only (host_passage.h), and the only one whose memory
  /// it then moves directly; without one such a transport is refused (ConfigurationError).
  Context(std::shared_ptr<const Transport> transport, const Settings& settings,
          const std::shared_ptr<device::Device>& device = nullptr);
  /// Ends everything that is left. Callbacks that did not run by then never do: they are destroyed, after the
  /// transport has let go of all memory. Connections may outlive their context; they have failed then.
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const std::string& address() const { return address_; }
  std::uint64_t capabilities() const { return capabilities_; }
  /// The only CUDA device whose memory operations may name; −1: any, if the capabilities have CUDA memory.
  int only_device() const;
  std::string transport_name() const { return transport_->name(); }

  /// Return at once. When the transport refuses, the connection is there, and has failed.
  /// ticket: what the accepting side's make_ticket() gave for this session, where needs_tickets().
  std::unique_ptr<Connection> connect(const std::string& peer, std::uint64_t session,
                                      const std::string& address, std::uint64_t deadline_ns,
                                      const std::string& ticket = {});
  std::unique_ptr<Connection> accept(const std::string& peer, std::uint64_t session,
                                     std::uint64_t deadline_ns, const std::string& ticket = {});

  /// Whether the accepting side has to tell the connecting one a ticket before either opens the connection.
  bool needs_tickets() const { return transport_->table().make_ticket != nullptr; }
  /// On the side that will accept(), once for a session. At most 256 bytes. Throws TransportError when the
  /// transport gives none.
  std::string make_ticket(std::uint64_t session);

  /// Memory that will be sent from and received into often, and lives until the returned handle is destroyed:
  /// a transport whose network must pin it does so once, not for each operation. Null when there is nothing
  /// to be gained, or it cannot be done; operations work all the same. The handle may outlive the context.
  std::shared_ptr<void> register_memory(void* data, std::uint64_t bytes);

  /// Progress; runs the callbacks of all operations that completed. Sleeps for at most timeout_ns. Returns
  /// how many completed (of those whose memory passes through a device, each half counts). Throws
  /// TransportError when the context is broken, and DeviceError when such a device is. A callback's exception
  /// passes through; the completions behind it stay for the next poll().
  std::size_t poll(std::uint64_t timeout_ns);
  /// The descriptor to sleep on, or −1 when the transport has none (poll() must then do the sleeping).
  int descriptor() const { return descriptor_; }
  /// Before a sleep on descriptor(): true: sleep, for at most timeout_ns (may be lowered); false: poll()
  /// first.
  bool arm(std::uint64_t& timeout_ns);
  /// Operations in flight, all connections.
  std::size_t in_flight() const;

 private:
  friend class Connection;
  struct Operations;
  std::unique_ptr<Connection> open(bool accept, const std::string& peer, std::uint64_t session,
                                   const std::string& address, std::uint64_t deadline_ns,
                                   const std::string& ticket);
  std::shared_ptr<const Transport> transport_;
  duet_context* context_ = nullptr;
  std::string address_;
  std::uint64_t capabilities_ = 0;
  int descriptor_ = -1;
  std::shared_ptr<Operations> operations_;  // shared with the connections
};

/// Called from Context::poll(), exactly once per accepted post.
using Completion = std::function<void(duet_status status, std::uint64_t bytes)>;

/// Memory on a device, for transports that take it (DUET_CAPABILITY_CUDA_MEMORY).
struct DeviceMemory {
  void* data = nullptr;
  std::int32_t index = 0;
  void* stream = nullptr;  ///< in whose order the memory is valid (to send) or free (to receive)
};

class Connection {
 public:
  ~Connection();  ///< closes; operations in flight complete later, through Context::poll()
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  enum class State { kPending, kReady, kFailed };
  State state();
  std::string error();  ///< why it failed, or why the last operation did; names the peer
  const std::string& peer() const { return peer_; }

  /// The memory must stay valid until the callback ran. false: no room now (DUET_AGAIN), poll and try again.
  /// Any other refusal runs the callback from the next poll() with that status, so that a caller has one
  /// place for errors.
  bool send(const void* data, std::uint64_t bytes, std::uint64_t deadline_ns, Completion done);
  bool receive(void* data, std::uint64_t bytes, std::uint64_t deadline_ns, Completion done);
  bool send(const DeviceMemory& memory, std::uint64_t bytes, std::uint64_t deadline_ns, Completion done);
  bool receive(const DeviceMemory& memory, std::uint64_t bytes, std::uint64_t deadline_ns, Completion done);

 private:
  friend class Context;
  friend class HostPassage;
  Connection(std::shared_ptr<Context::Operations> operations, duet_connection* connection, std::string peer,
             std::string refusal);
  HostPassage* open_passage() const;
  bool post(bool send, const duet_memory& memory, std::uint64_t deadline_ns, Completion done);
  std::shared_ptr<Context::Operations> operations_;
  duet_connection* connection_;  // null: refused from the start
  std::string peer_;
  std::string refusal_;  // why the transport refused the connection, or the last operation that it refused
};

}  // namespace duet::transport
