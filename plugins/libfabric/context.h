#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "connection.h"
#include "duet/plugin/transport.h"
#include "endpoint_address.h"
#include "fabric_objects.h"
#include "registration.h"
#include "settings.h"

namespace duet::libfabric {

/// A worker's endpoint: what duet_context points to. Calls from one thread at a time, as the ABI promises.
/// Nothing happens between calls: libfabric makes progress in poll(), and so do deadlines.
///
/// A connection is one libfabric endpoint of type FI_EP_MSG. It is asked for with a greeting that carries the
/// session; whichever comes first, the request or our accept(), waits for the other.
class Context {
 public:
  explicit Context(const Settings& settings);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  std::string address() const { return own_.blob(); }

  duet_connection* connect(const duet_connect_request& request);
  duet_connection* accept(const duet_connect_request& request);
  void close(Connection& connection);

  /// Vouches for memory until unregister_memory(). Throws FailureError.
  void* register_memory(const duet_memory& memory);
  void unregister_memory(void* registration);

  /// DUET_OK, or why it was not taken (then *failure has the text).
  duet_status post(Connection& connection, const duet_memory& memory, std::uint64_t host_id,
                   std::uint64_t deadline_ns, bool is_send, Failure& failure);
  duet_status cancel(Connection& connection, std::uint64_t host_id);

  /// Throws FailureError (DUET_BROKEN) when libfabric's queues can no longer be read.
  std::uint32_t poll(std::span<duet_completion> completions, std::uint64_t timeout_ns);
  int descriptor() const { return fabric_.descriptor(); }
  /// true: sleep, for at most timeout_ns; false: poll first.
  bool arm(std::uint64_t& timeout_ns);

 private:
  /// A connect that came before its accept().
  struct EarlyRequest {
    InfoPtr info;
    std::uint64_t id = 0;
  };
  using Operations = std::map<std::uint64_t, Operation>;

  bool moves(std::int32_t kind) const;
  duet_connection& add_connection(const duet_connect_request& request);
  void take(Connection& connection, InfoPtr request);
  void watch(Connection& connection, EndpointPtr endpoint);
  void forget(Connection& connection);
  void reject(InfoPtr request, const char* why);

  void progress();
  void drain_completions();
  void read_failed_completion();
  void drain_events();
  void read_failed_event();
  void on_request(InfoPtr request, std::span<const std::byte> greeting);
  void on_ready(Connection& connection);
  void flush(Connection& connection);
  void look_for_dead_sockets();
  void advance_streams();

  void suspect(Connection& connection, const Failure& failure, bool weak = false);
  void settle();
  void fail(Connection& connection, const Failure& failure);
  void expire(std::uint64_t now_ns);
  void end_all_operations(const Connection& connection, duet_status status);
  void complete(Operations::iterator operation, duet_status status, std::uint64_t bytes);

  void set_deadline(std::uint64_t deadline_ns, std::uint64_t id);
  void clear_deadline(std::uint64_t deadline_ns, std::uint64_t id) { deadlines_.erase({deadline_ns, id}); }
  bool ready_to_sleep(std::uint64_t& timeout_ns);
  void sleep(std::uint64_t nanoseconds) const;

  Settings settings_;
  std::uint64_t largest_message_ = 0;
  Fabric fabric_;
  EndpointAddress own_;
  RegistrationCache registrations_;  ///< before what shares in it, after what it is made with
  std::uint64_t next_id_ = 1;        ///< of operations, connections and early requests alike
  Operations operations_;            ///< by id: the order of posting
  std::map<std::uint64_t, std::unique_ptr<duet_connection>> connections_;  ///< by id
  std::unordered_map<const fid*, Connection*> by_endpoint_;
  std::unordered_map<std::uint64_t, Connection*>
      awaited_;                                            ///< accepts whose request has not come, by session
  std::unordered_map<std::uint64_t, EarlyRequest> early_;  ///< by session
  std::unordered_map<std::uint64_t, std::uint64_t> connect_deadlines_;  ///< by connection id
  std::set<std::pair<std::uint64_t, std::uint64_t>> deadlines_;         ///< (when, id)
  std::vector<std::uint64_t> suspects_;   ///< ids of connections that are about to fail
  std::deque<duet_completion> finished_;  ///< not yet polled
  bool state_changed_ = false;            ///< a connection became ready or failed since the last poll()
  bool waits_for_stream_ = false;         ///< some connection does, as of the last poll()
  unsigned idle_wakeups_ = 0;             ///< in a row
  unsigned refused_sleeps_ = 0;           ///< by libfabric, in a row
};

}  // namespace duet::libfabric

struct duet_context final : duet::libfabric::Context {
  using Context::Context;
};
