#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>

#include "transport/faults.h"
#include "transport/services.h"

namespace duet::transport {

class FaultyContext;

struct FaultyConnection {
  FaultyContext* context = nullptr;
  duet_connection* inner = nullptr;  // null: broken by us, or closed by the host
  std::string peer;
  std::mt19937_64 random;
  double factor = 1.0;             // slow_factor, on a slow edge
  std::uint64_t line_free_at = 0;  // when the last message is through the line, if there is a bandwidth
  bool stalled = false;            // lost a message: nothing sent from now on arrives
  bool broken = false;             // an injected disconnect
  bool closed = false;             // by the host
  std::string last_error;          // of a fault of ours
};

/// The decorator's context: calls go through to the inner one, completions come back through `held_`.
class FaultyContext {
 public:
  FaultyContext(const duet_transport& inner, const Faults& faults, duet_context* context)
      : inner_(inner), faults_(faults), context_(context) {}
  ~FaultyContext() { inner_.close_context(context_); }
  FaultyContext(const FaultyContext&) = delete;
  FaultyContext& operator=(const FaultyContext&) = delete;

  const duet_transport& inner() const { return inner_; }
  duet_context* inner_context() const { return context_; }

  duet_status open(bool accept, const duet_connect_request& request, FaultyConnection** connection,
                   duet_error* error);
  void close(FaultyConnection* connection);
  int32_t state(const FaultyConnection& connection, duet_error* error) const;
  duet_status send(FaultyConnection& connection, const duet_memory* memory, std::uint64_t id,
                   std::uint64_t deadline, duet_error* error);
  duet_status receive(FaultyConnection& connection, const duet_memory* memory, std::uint64_t id,
                      std::uint64_t deadline, duet_error* error);
  duet_status poll(duet_completion* completions, std::uint32_t capacity, std::uint64_t timeout_ns,
                   std::uint32_t* count, duet_error* error);
  duet_status cancel(FaultyConnection& connection, std::uint64_t id);
  duet_status arm(std::uint64_t* timeout_ns);
  void last_error(const FaultyConnection& connection, duet_error* error) const;

 private:
  struct Operation {
    std::shared_ptr<FaultyConnection> connection;
    bool receive = false;
    void* data = nullptr;  // null: device memory, which cannot be corrupted from here
    std::uint64_t deadline = 0;
    bool held = false;  // the inner transport is done with it
  };

  bool happens(FaultyConnection& connection, double probability);
  void disconnect(FaultyConnection& connection);
  void hold(const duet_completion& completion, std::uint64_t until);
  void release_held(const FaultyConnection* connection, duet_status status);
  void completed(duet_completion completion, std::uint64_t now);
  void received(Operation& operation, duet_completion completion, std::uint64_t now);

  const duet_transport& inner_;
  const Faults faults_;
  duet_context* const context_;
  std::map<FaultyConnection*, std::shared_ptr<FaultyConnection>> connections_;
  std::unordered_map<std::uint64_t, Operation> operations_;  // by id
  std::multimap<std::uint64_t, duet_completion> held_;       // by when the host may see them
};

}  // namespace duet::transport
