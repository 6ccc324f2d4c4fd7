#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "duet/topology.h"
#include "pairing/message.h"

/// Who meets whom, and when (docs/protocol.md). A pure state machine: no clock, thread, socket or global;
/// time (seconds, monotonic, any origin) and randomness (a seed) are handed in, decisions are handed out as
/// actions. The worker, the simulator and the model checker's twin (tests/model) drive the same rules. Not
/// thread-safe.
namespace duet::pairing {

/// Send `message` to `peer`. May be lost.
struct Send {
  int peer = 0;
  Message message;
};
/// Begin to exchange blocks with `peer` now; report with on_meeting_began() and on_meeting_ended().
struct Begin {
  int peer = 0;
  std::uint64_t meeting = 0;
  std::uint64_t token = 0;
  bool offerer = false;  ///< this side made the offer (it connects, the other accepts)
};
using Action = std::variant<Send, Begin>;

struct Config {
  int self = 0;
  std::vector<Neighbour> neighbours;  ///< with λ_ij
  std::string policy = "holdoff";     ///< holdoff, fifo, memoryless, target
  bool deterministic_budget = false;  ///< exactly λ_i per step; otherwise Poisson
  bool unlimited_budget = false;
  double offer_timeout = 0.5;      ///< seconds until an unanswered offer is given up
  double start_timeout = 1.0;      ///< seconds that an accept waits for its kStart
  double announce_interval = 1.0;  ///< seconds between announcements while available, should one be lost
  std::uint64_t seed = 0;
  bool simulation = false;  ///< allows `memoryless`
};

/// One worker's side of the protocol. Call take_actions() after every event. A neighbour is taken to be up
/// from the start; the first on_peer_up() only confirms that.
class Pairing {
 public:
  /// Throws ConfigurationError: an unknown policy, a neighbour twice or oneself, a rate or timeout that is
  /// not > 0.
  explicit Pairing(Config config);
  ~Pairing();
  Pairing(Pairing&&) noexcept;
  Pairing& operator=(Pairing&&) noexcept;

  // ---- what happens
  // -----------------------------------------------------------------------------------------------
  void on_step(double now);  ///< the trainer made a step: adds budget
  void on_message(double now, int peer, const Message& message);
  void on_peer_up(double now, int peer);  ///< joined, or came back under a new incarnation
  /// Also ends a meeting with it, as failed, if one was under way: then without on_meeting_ended().
  void on_peer_gone(double now, int peer);
  void on_meeting_began(double now);  ///< the first block was posted: budget is spent
  /// Not complete: broken, or never begun. The partner is then left alone for a while (0.05 s, doubling up to
  /// 5 s).
  void on_meeting_ended(double now, bool complete);
  /// The graph was repaired: other neighbours, other rates. Whoever is no longer one is as good as gone; what
  /// is known of the others stays. Throws as the constructor does, and then changes nothing.
  void set_neighbours(double now, const std::vector<Neighbour>& neighbours);
  void finish(double now);  ///< no budget and no offers any more; still accepts
  void stop(double now);    ///< accepts no more either
  void on_timer(double now);

  // ---- what to do
  // -------------------------------------------------------------------------------------------------
  std::vector<Action> take_actions();
  double next_timer() const;  ///< absolute time of the next on_timer(), infinity: none

  // ---- how it is
  // --------------------------------------------------------------------------------------------------
  bool in_meeting() const;
  int partner() const;                   ///< −1: none
  double budget() const;                 ///< meetings; infinity: unlimited
  std::uint64_t shed() const;            ///< meetings of budget dropped at the cap
  double waited(double now) const;       ///< seconds with budget and no partner, so far
  double mean_meeting_duration() const;  ///< seconds; 0 before the first
  double hold_off() const;               ///< seconds for which the last partner is not met again, at present

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::pairing
