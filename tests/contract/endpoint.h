#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "contract/sources.h"
#include "transport/services.h"
#include "transport/transport.h"

/// What the suite's tests are written with: the C table as it is, plus bookkeeping that catches a broken
/// promise wherever it happens (a completion too many, an unknown one, a count that overflows).
namespace duet::contract {

using transport::now_ns;

inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000 * kMillisecond;
/// For waits whose length is not the point: long enough for a busy machine under a sanitizer.
inline constexpr std::uint64_t kPatience = 20 * kSecond;

inline std::uint64_t in(std::uint64_t nanoseconds) {
  return now_ns() + nanoseconds;
}

/// One context. Used by one thread, as the ABI asks; where the transport wants tickets, the thread that
/// connects asks the other endpoint for one in between two of its calls, as a host's control channel would.
class Endpoint {
 public:
  Endpoint(const duet_transport& table, const Source& source);
  ~Endpoint();
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const std::string& address() const { return address_; }
  duet_context* get() { return context_; }

  /// Throw when the call is refused.
  duet_connection* connect(const std::string& address, std::uint64_t session,
                           std::uint64_t deadline = in(kPatience), const char* peer = "rank 7");
  duet_connection* accept(std::uint64_t session, std::uint64_t deadline = in(kPatience),
                          const char* peer = "rank 7");
  int state(duet_connection* connection, duet_error* error = nullptr);
  void close(duet_connection* connection);

  /// Returns the operation's id. Polls while the transport has no room.
  std::uint64_t send(duet_connection* connection, const void* data, std::uint64_t bytes,
                     std::uint64_t deadline = 0);
  std::uint64_t receive(duet_connection* connection, void* data, std::uint64_t bytes,
                        std::uint64_t deadline = 0);
  /// As the table has it; the id is the last one taken.
  duet_status try_post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                       std::uint64_t deadline, duet_error* error = nullptr);
  std::uint64_t last_id() const { return next_id_ - 1; }

  /// One poll(). Returns how many completions came.
  std::size_t poll(std::uint64_t timeout_ns = 0);
  bool ended(std::uint64_t id) const { return completions_.contains(id); }
  /// Fails the test, and returns something with status −1, when the operation has not ended.
  duet_completion completion(std::uint64_t id) const;
  duet_status status(std::uint64_t id) const { return completion(id).status; }
  std::size_t in_flight() const { return in_flight_.size(); }

  /// The ticket for `session` of whoever has `address`; empty: none is needed, or nobody has it.
  static std::string ticket_for(const std::string& address, std::uint64_t session);
  /// Tickets of an endpoint in another process.
  static void know_tickets(const std::string& address, const std::map<std::uint64_t, std::string>& tickets);
  /// In the process that is the other one's peer: on the last device.
  static void be_the_peer();

 private:
  duet_connection* open(bool accept, const std::string& address, std::uint64_t session,
                        std::uint64_t deadline, const char* peer);
  std::uint64_t post(bool send, duet_connection* connection, void* data, std::uint64_t bytes,
                     std::uint64_t deadline);

  std::string make_ticket(std::uint64_t session);
  std::unique_lock<std::mutex> take_turn();
  void take_back(const duet_completion& completion);

  /// Device memory behind an operation on host memory.
  struct Staged {
    std::shared_ptr<void> device;
    void* host = nullptr;
    bool copy_back = false;
  };

  const duet_transport& table_;
  const std::shared_ptr<DeviceMemory> memory_;
  int device_ = 0;
  std::mutex calls_;  // on the context
  std::atomic<int> tickets_wanted_{0};
  duet_context* context_ = nullptr;
  std::string address_;
  std::map<std::uint64_t, Staged> staged_;
  std::uint64_t next_id_ = 1;
  std::set<std::uint64_t> in_flight_;
  std::map<std::uint64_t, duet_completion> completions_;
};

/// Polls the endpoints in turn until `done`. False: not within `limit`.
bool turn(const std::vector<Endpoint*>& endpoints, const std::function<bool()>& done,
          std::uint64_t limit = kPatience);

/// Reproducible bytes, different for each `seed`.
std::vector<unsigned char> pattern(std::size_t bytes, std::uint64_t seed);

/// The descriptors that this process has open.
std::size_t open_descriptors();

class ContractTest : public ::testing::TestWithParam<Source> {
 protected:
  ContractTest() : transport_(GetParam().load()), table_(transport_->table()) {}

  std::unique_ptr<Endpoint> endpoint() { return std::make_unique<Endpoint>(table_, GetParam()); }
  std::uint64_t capabilities();
  bool exact_size() { return (capabilities() & DUET_CAPABILITY_EXACT_SIZE) != 0; }

  struct Pair {
    std::unique_ptr<Endpoint> a, b;
    duet_connection* ab = nullptr;  ///< a's handle; a connected
    duet_connection* ba = nullptr;
    std::vector<Endpoint*> both() const { return {a.get(), b.get()}; }
    bool turn(const std::function<bool()>& done, std::uint64_t limit = kPatience) const {
      return contract::turn(both(), done, limit);
    }
    bool finish() const {
      return turn([this] { return a->in_flight() + b->in_flight() == 0; });
    }
  };
  /// Two endpoints, and a connection of them that is ready.
  Pair joined(std::uint64_t session = 1);
  void join(Pair& pair, std::uint64_t session);

  std::shared_ptr<const transport::Transport> transport_;
  const duet_transport& table_;
};

/// The suite's tests for every transport.
#define DUET_CONTRACT_SUITE(Suite)                                                \
  INSTANTIATE_TEST_SUITE_P(Transports, Suite, ::testing::ValuesIn(all_sources()), \
                           [](const auto& tested) { return tested.param.name; })

}  // namespace duet::contract
