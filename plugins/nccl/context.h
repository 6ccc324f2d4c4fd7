#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "communicator.h"
#include "connection.h"
#include "cuda_driver.h"
#include "duet/plugin/transport.h"
#include "line.h"
#include "nccl_library.h"
#include "settings.h"
#include "ticket_book.h"
#include "waker.h"

namespace duet::nccl {

/// A worker's endpoint: what duet_context points to. Calls from one thread at a time, as the ABI promises;
/// nothing happens between calls but aborts, in threads of their own. It carries out what the links decide:
/// moves their frames over lines, opens, polls and releases their communicators, and keeps those within
/// bounds.
class Context {
 public:
  static constexpr std::uint64_t kLargestMessage = 1ull << 32;

  explicit Context(const Settings& settings);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  std::string address() const { return address_.encode(); }
  std::string make_ticket(std::uint64_t session);

  duet_connection* connect(const duet_connect_request& request, const Ticket& ticket);
  duet_connection* accept(const duet_connect_request& request, const Ticket& ticket);
  void close(Connection& connection);

  /// DUET_OK, or why it was not taken (then *failure has the text).
  duet_status post(Connection& connection, const duet_memory& memory, std::uint64_t id,
                   std::uint64_t deadline, bool send, Failure& failure);
  duet_status cancel(Connection& connection, std::uint64_t id);

  std::uint32_t poll(std::span<duet_completion> completions, std::uint64_t timeout_ns);
  int descriptor() const { return epoll_.get(); }
  /// true: sleep, for at most timeout_ns; false: poll first.
  bool arm(std::uint64_t& timeout_ns);

 private:
  /// Who connected and was not handed to a connection yet.
  struct Visitor {
    Line line;
    std::uint64_t since = 0;
    std::uint64_t session = 0;  ///< once it has introduced itself
    Frame hello;
    bool introduced = false;
    bool gone = false;
  };

  duet_connection& add(bool accepting, const duet_connect_request& request, const Ticket& ticket,
                       const std::string& label);
  std::uint64_t progress();
  void receive_visitors(std::uint64_t now);
  void meet(Connection& connection, Visitor& visitor);
  void progress(Connection& connection, std::uint64_t now);
  void on_frame(Connection& connection, const Frame& frame, std::uint64_t now);
  void look_at_memory(Connection& connection);
  void look_at_communicator(Connection& connection);
  void act(Connection& connection);
  void carry_out(Connection& connection, const Link::Announce& announce);
  void open_communicator(Connection& connection);
  void make_room(const Connection& for_whom);
  void launch(Connection& connection, const Link::Launch& launch);
  void hang_up(Connection& connection);
  void collect(Connection& connection);
  void forget_ended();
  Frame introduction(FrameKind kind) const;
  void watch(int fd, bool writes) const;
  CUevent record(void* stream);
  /// How long to sleep at most until something has to be looked at that wakes nobody.
  std::uint64_t patience(std::uint64_t now) const;
  void sleep(std::uint64_t nanoseconds) const;

  const Settings settings_;
  const std::shared_ptr<const Device> device_;
  const NcclLibrary& library_;
  Descriptor epoll_;
  std::shared_ptr<Waker> waker_;
  Listener listener_;
  PeerAddress address_;
  TicketBook tickets_;
  std::list<Visitor> visitors_;
  std::list<std::unique_ptr<duet_connection>> connections_;
  std::vector<CUevent> spare_events_;
  std::deque<duet_completion> finished_;
  bool state_changed_ = false;
  bool warned_of_cap_ = false;
};

}  // namespace duet::nccl

struct duet_context final : duet::nccl::Context {
  using Context::Context;
};
