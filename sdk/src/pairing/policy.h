#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "pairing/budget.h"
#include "pairing/pace.h"

namespace duet::pairing {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kLongAgo = -kNever;

/// What this worker knows of one neighbour.
struct Peer {
  int worker = 0;
  double rate = 0.0;  ///< λ_ij
  bool up = true;
  bool confirmed = false;  ///< on_peer_up() was called for it; until then it is taken to be up
  bool available = false;  ///< as far as I know
  bool told = false;       ///< it takes me to be available (its half of `available`, as far as I know)
  bool done = false;       ///< never offers
  double available_since = kLongAgo;
  double last_available = kLongAgo;  ///< when it last said, or showed, that it was
  double last_meeting = kLongAgo;    ///< end of our last one
  double not_before = kLongAgo;      ///< left alone until then, after a meeting that broke
  int failures = 0;                  ///< meetings in a row that broke
  std::uint64_t last_offer = 0;      ///< the last offer of its that I answered
};

/// What a policy decides on.
struct Situation {
  double now = 0.0;
  int self = 0;
  double rate = 0.0;  ///< λ_i
  bool unlimited = false;
  bool done = false;      ///< I accept, but do not offer
  int last_partner = -1;  ///< worker
  double last_end = kLongAgo;
  const Pace& pace;
  const std::vector<Peer>& peers;
};

/// Who offers: I to the peer, or the peer to me.
enum class Side : std::uint8_t { kOffer, kAccept };

/// Whom to meet. Sees everything, sends nothing: that the choice is bad costs mixing, never safety.
class Policy {
 public:
  virtual ~Policy() = default;

  /// From when on `peer` may be my partner, if nothing else happens; ≤ now: it may.
  virtual double eligible_from(const Situation& situation, const Peer& peer, Side side) const = 0;
  /// Whom to offer first. `candidates` (not empty) are available and eligible.
  virtual const Peer* preferred(const Situation& situation, const std::vector<const Peer*>& candidates,
                                Random& random) const = 0;

  virtual bool uses_budget() const { return true; }
  virtual void on_step(const Situation& /*situation*/, Random& /*random*/) {}
  /// I am free and look for a partner.
  virtual void on_search(const Situation& /*situation*/, Random& /*random*/) {}
  virtual void on_meeting(const Peer& /*peer*/) {}
};

/// min(own mean interval between meetings, max(own mean meeting duration, own mean step time ÷ λ_i)). The
/// first part alone would feed on itself beside a neighbour that does not meet: waiting makes the interval
/// longer. With unlimited budget a step is the mean interval, at rate 1.
double hold_off(const Situation& situation);
/// Whether the peer is worth waiting for: it has been available within the last 4 hold-offs.
bool live(const Situation& situation, const Peer& peer, double hold_off);

/// holdoff, fifo, target, or (`simulation` only) memoryless. Throws ConfigurationError otherwise.
std::unique_ptr<Policy> make_policy(const std::string& name, bool simulation, bool unlimited_budget);

}  // namespace duet::pairing
