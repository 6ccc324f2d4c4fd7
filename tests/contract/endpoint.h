#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "contract/memory.h"
#include "transport/transport.h"

/// What the suite's tests are written with: the C table as it is, plus bookkeeping that catches a broken
/// promise wherever it happens (a completion too many, an unknown one, a count that overflows).
namespace duet::contract {

using transport::now_ns;

inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000 * kMillisecond;
/// For waits whose length is not the point: long enough for a busy machine under a sanitizer.
inline constexpr std::uint64_t kPatience = 20 * kSecond;

/// A duet_status that is printed by its name.
class Status {
 public:
  Status(duet_status value) : value_(value) {}     // NOLINT(google-explicit-constructor): it is one
  operator duet_status() const { return value_; }  // NOLINT(google-explicit-constructor)

 private:
  duet_status value_;
};
std::ostream& operator<<(std::ostream& out, Status status);
/// "post_send() returned DUET_MISUSE: rank 3: …"
std::string refusal(const char* call, Status status, const char* text);

inline std::uint64_t in(std::uint64_t nanoseconds) {
  return now_ns() + nanoseconds;
}

/// One context. Used by one thread, as the ABI asks. What it hands to the transport for the duration of a
/// call (settings, addresses, names) is gone right after it: a transport that keeps a pointer is caught under
/// AddressSanitizer, at the latest. With device memory the tests' data are still on the host: each operation
/// has a piece on the device, to which they are copied at its post, or from which at its completion.
class Endpoint {
 public:
  /// memory: null: host memory. device: of that memory.
  Endpoint(const duet_transport& table, const transport::Settings& settings,
           std::shared_ptr<DeviceMemory> memory = nullptr, int device = 0);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const std::string& address() const { return address_; }
  duet_context* get() { return context_; }
  /// What this side, which will accept, gives to the connecting one; empty where the transport has no
  /// tickets. Made once for a session.
  std::string ticket(std::uint64_t session);

  /// Throw when the call is refused. A context may have a session once.
  duet_connection* connect(Endpoint& peer, std::uint64_t session, std::uint64_t deadline = in(kPatience),
                           const char* name = "rank 7");
  duet_connection* connect_to(const std::string& address, const std::string& ticket, std::uint64_t session,
                              std::uint64_t deadline = in(kPatience), const char* name = "rank 7");
  duet_connection* accept(std::uint64_t session, std::uint64_t deadline = in(kPatience),
                          const char* name = "rank 7");
  /// As the table has it.
  Status try_connect(const std::string& address, const std::string& ticket, std::uint64_t session,
                     std::uint64_t deadline, const char* name, duet_connection** connection,
                     duet_error* error);
  int state(duet_connection* connection, duet_error* error = nullptr);
  void close(duet_connection* connection) { table_.close_connection(connection); }

  /// Returns the operation's id. Polls while the transport has no room.
  std::uint64_t send(duet_connection* connection, const void* data, std::uint64_t bytes,
                     std::uint64_t deadline = 0);
  std::uint64_t receive(duet_connection* connection, void* data, std::uint64_t bytes,
                        std::uint64_t deadline = 0);
  /// As the table has it; the id is the last one taken.
  Status try_post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                  std::uint64_t deadline, duet_error* error = nullptr);
  std::uint64_t last_id() const { return next_id_ - 1; }
  /// The next operation gets this id (and those after it the following ones).
  void set_next_id(std::uint64_t id) { next_id_ = id; }

  /// One poll(), for up to `capacity` completions. Returns how many came.
  std::size_t poll(std::uint64_t timeout_ns = 0, std::uint32_t capacity = 16);
  bool ended(std::uint64_t id) const { return completions_.contains(id); }
  /// Fails the test, and returns something with status −1, when the operation has not ended.
  duet_completion completion(std::uint64_t id) const;
  Status status(std::uint64_t id) const { return completion(id).status; }
  /// What has completed, and the tickets of sessions: for tests with so many that remembering them all would
  /// show.
  void forget() {
    completions_.clear();
    tickets_.clear();
  }
  std::size_t in_flight() const { return in_flight_.size(); }

 private:
  duet_status open(bool accept, const std::string& address, const std::string& ticket, std::uint64_t session,
                   std::uint64_t deadline, const char* name, duet_connection** connection, duet_error* error);
  std::uint64_t post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                     std::uint64_t deadline);

  /// Device memory behind an operation on host memory.
  struct Staged {
    std::shared_ptr<void> device;
    void* host = nullptr;
    bool copy_back = false;
  };
  Staged stage(bool send, void* data, std::uint64_t bytes) const;
  void unstage(const duet_completion& completion);

  const duet_transport& table_;
  const std::shared_ptr<DeviceMemory> memory_;
  const int device_;
  std::map<std::uint64_t, Staged> staged_;  // by operation
  duet_context* context_ = nullptr;
  std::string address_;
  std::map<std::uint64_t, std::string> tickets_;  // by session
  std::uint64_t next_id_ = 1;
  std::set<std::uint64_t> in_flight_;
  std::map<std::uint64_t, duet_completion> completions_;
};

/// Settings as the ABI has them; valid while `settings` is.
std::vector<duet_setting> to_c(const transport::Settings& settings);

/// Polls the endpoints in turn until `done`. False: not within `limit`.
bool turn(const std::vector<Endpoint*>& endpoints, const std::function<bool()>& done,
          std::uint64_t limit = kPatience);
/// Polls them for a while: for what should not happen.
void idle(const std::vector<Endpoint*>& endpoints, std::uint64_t nanoseconds);

/// Reproducible bytes, different for each `seed`.
std::vector<unsigned char> pattern(std::size_t bytes, std::uint64_t seed);

}  // namespace duet::contract
