#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "pairing/budget.h"
#include "pairing/pace.h"
#include "pairing/pairing.h"
#include "pairing/policy.h"

namespace duet::pairing {

/// The state machine of docs/protocol.md. Every event ends in proceed(): deadlines that have passed, then
/// what a free worker does, then the next timer.
class Pairing::Impl {
 public:
  explicit Impl(Config config);

  void on_step(double now);
  void on_message(double now, int worker, const Message& message);
  void on_peer_up(double now, int worker);
  void on_peer_gone(double now, int worker);
  void on_meeting_began(double now);
  void on_meeting_ended(double now, bool complete);
  void set_neighbours(double now, const std::vector<Neighbour>& neighbours);
  void finish(double now);
  void stop(double now);
  void on_timer(double now) { proceed(now); }

  std::vector<Action> take_actions();
  double next_timer() const { return timer_; }
  bool in_meeting() const { return state_ == State::kMeeting; }
  int partner() const { return in_meeting() ? partner_ : -1; }
  const Budget& budget() const { return budget_; }
  const Pace& pace() const { return pace_; }
  double waited(double now) const;
  double hold_off() const { return pairing::hold_off(situation(0.0)); }

 private:
  enum class State : std::uint8_t {
    kIdle,
    kOffering,  ///< waits for the answer of partner_, until deadline_
    kAccepted,  ///< waits for the kStart of partner_, until deadline_
    kMeeting,   ///< with partner_
  };

  Peer* find(int worker);
  Situation situation(double now) const;
  bool is(State state, const Peer& peer, std::uint64_t meeting) const;
  /// Whether I would take a partner now: with budget and without a partner, or finished.
  bool open() const { return state_ == State::kIdle && !stopped_ && (done_ || budget_.has_one()); }
  double eligible_from(double now, const Peer& peer, Side side) const;
  DeclineReason reason_to_decline(double now, const Peer& peer) const;

  void on_offer(double now, Peer& peer, const Message& message);
  void on_accept(double now, Peer& peer, std::uint64_t meeting);
  void on_decline(double now, Peer& peer, const Message& message);

  void send(const Peer& peer, const Message& message);
  void offer(double now, const Peer& peer);
  void begin(double now, Peer& peer, bool offerer);
  void end_meeting(double now, bool complete);
  void back_off(double now);
  /// The peer's life ended, or a new one began: nothing that it knew or said holds.
  void forget(double now, Peer& peer);

  void proceed(double now);
  void account(double now);
  void search(double now);
  const Peer* choose(double now);
  void announce(double now, bool repeat);
  void set_timer(double now);

  Config config_;
  std::unique_ptr<Policy> policy_;
  double rate_;
  Budget budget_;
  Random random_;
  Pace pace_;
  std::vector<Peer> peers_;
  std::vector<Action> actions_;

  State state_ = State::kIdle;
  int partner_ = -1;           ///< outside kIdle: whom it is about
  std::uint64_t meeting_ = 0;  ///< likewise
  std::uint64_t token_ = 0;
  double deadline_ = kNever;  ///< of kOffering and kAccepted
  double offered_at_ = 0.0;
  bool began_ = false;  ///< kMeeting: the first block was posted, budget is spent
  double began_at_ = 0.0;

  std::uint64_t next_meeting_ = 0;
  int last_partner_ = -1;
  double last_end_ = kLongAgo;
  int unsuccessful_ = 0;  ///< offers since the last meeting that came to nothing
  double backoff_until_ = kLongAgo;
  double next_announcement_ = kLongAgo;
  double timer_ = kNever;
  bool done_ = false;
  bool stopped_ = false;

  bool waiting_ = false;
  double waiting_since_ = 0.0;
  double waited_ = 0.0;
};

}  // namespace duet::pairing
