#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "cuda_driver.h"
#include "duet/plugin/transport.h"
#include "fabric_objects.h"
#include "failure.h"
#include "registration.h"

namespace duet::libfabric {

class Connection;
class Context;

/// One send or receive from post to completion.
struct Operation {
  std::uint64_t id =
      0;  ///< ours, never used twice; libfabric's operation context, so that a late echo finds nothing
  std::uint64_t host_id = 0;
  std::uint64_t deadline_ns = 0;  ///< 0: none
  std::uint64_t bytes = 0;
  void* data = nullptr;
  Connection* connection = nullptr;
  bool is_send = false;
  bool posted = false;                    ///< libfabric has it
  bool cancelling = false;                ///< libfabric was asked to give it back
  RegistrationCache::Share registration;  ///< for as long as libfabric may touch the memory
  std::unique_ptr<StreamMark> mark;       ///< of device memory: not before the stream has come here
};

/// One libfabric endpoint with the operations that wait for it. Closing the endpoint is what ends operations
/// for good: fi_close() of the tcp provider drops its queues and its socket before it returns, and no buffer
/// is touched after.
class Connection {
 public:
  enum class State { kPending, kReady, kFailed };

  Connection(Context& context, std::uint64_t id, const duet_connect_request& request,
             const std::string& provider);

  Context& context() const { return context_; }
  std::uint64_t id() const { return id_; }
  std::uint64_t session() const { return session_; }
  State state() const { return state_; }
  const fid* endpoint() const { return endpoint_ == nullptr ? nullptr : &endpoint_->fid; }
  /// "rank 3 (127.0.0.1:4567, tcp)".
  std::string label() const;

  void set_peer_address(const sockaddr_in& address) { peer_address_ = address; }
  void attach(EndpointPtr endpoint) { endpoint_ = std::move(endpoint); }
  void set_ready() { state_ = State::kReady; }

  /// A failure of this connection, its text completed with whom it is about.
  Failure failure_of(duet_status status, int code, const std::string& what) const;
  /// Closes the endpoint and forgets the queued operations.
  void fail(const Failure& failure);
  /// Notes why an operation failed.
  void note(const Failure& failure) { last_failure_ = failure; }
  /// Why it failed, or its last operation did.
  const std::optional<Failure>& last_failure() const { return last_failure_; }

  /// Something that will fail the connection once all that is already complete has been collected. The first
  /// reason stands, but gives way when it was `weak`: a mere echo of another.
  void suspect(const Failure& failure, bool weak);
  const std::optional<Failure>& suspicion() const { return suspicion_; }

  bool has_room(bool is_send) const { return (is_send ? sends_ : receives_).size() < kMostQueued; }
  /// Hands it to libfabric, or queues it. 0, or libfabric's (negative) error: then it is not taken.
  ssize_t submit(Operation& operation);
  /// Hands over what is queued; 0, or libfabric's error.
  ssize_t flush();
  /// Why it was not taken, in the ABI's terms.
  Failure refusal(ssize_t code, const std::string& what) const;
  /// Something queued must wait for its device stream; nothing but looking again tells when that is over.
  bool waits_for_stream() const;
  bool has_queued() const { return !sends_.empty() || !receives_.empty(); }
  void remove_queued(const Operation& operation);
  /// Asks libfabric to give a posted receive back.
  void cancel_receive(const Operation& operation);
  /// Whether the socket is still connected, as far as the system knows.
  bool socket_alive() const;

 private:
  static constexpr std::size_t kMostQueued = 1024;

  ssize_t hand_over(Operation& operation);
  ssize_t flush(std::deque<Operation*>& queue);

  Context& context_;
  std::uint64_t id_;
  std::uint64_t session_;
  std::string peer_;
  std::string provider_;
  sockaddr_in peer_address_{};
  State state_ = State::kPending;
  EndpointPtr endpoint_;
  std::optional<Failure> last_failure_;
  std::optional<Failure>
      device_failure_;  ///< why hand_over() was refused, when it was no fault of libfabric's
  std::optional<Failure> suspicion_;
  bool suspicion_is_weak_ = false;
  std::deque<Operation*> sends_;  ///< not yet with libfabric, in order
  std::deque<Operation*> receives_;
};

}  // namespace duet::libfabric

struct duet_connection final : duet::libfabric::Connection {
  using Connection::Connection;
};
