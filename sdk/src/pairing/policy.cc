#include "pairing/policy.h"

#include <algorithm>
#include <map>

#include "duet/error.h"

namespace duet::pairing {

namespace {

constexpr double kLiveHoldOffs = 4.0;

// The candidate with the largest score; the one to take among equals is drawn, so that workers that start
// together do not all choose alike.
template <typename Score>
const Peer* best(const std::vector<const Peer*>& candidates, Random& random, Score score) {
  const Peer* chosen = nullptr;
  double highest = 0.0;
  int equals = 0;
  for (const Peer* candidate : candidates) {
    const double value = score(*candidate);
    if (chosen == nullptr || value > highest) {
      chosen = candidate;
      highest = value;
      equals = 1;
    } else if (value == highest && std::uniform_int_distribution<int>(0, equals++)(random) == 0) {
      chosen = candidate;
    }
  }
  return chosen;
}

// The same two do not meet twice in a row (docs/protocol.md, "Hold-off").
class HoldOff final : public Policy {
 public:
  double eligible_from(const Situation& situation, const Peer& peer, Side /*side*/) const override {
    if (peer.worker != situation.last_partner) return kLongAgo;
    const double wait = hold_off(situation);
    // It ends early when the last of the others stops being live.
    double others_live_until = kLongAgo;
    for (const Peer& other : situation.peers) {
      if (&other == &peer || !live(situation, other, wait)) continue;
      others_live_until =
          std::max(others_live_until, other.available ? kNever : other.last_available + kLiveHoldOffs * wait);
    }
    return std::min(situation.last_end + wait, others_live_until);
  }

  const Peer* preferred(const Situation& situation, const std::vector<const Peer*>& candidates,
                        Random& random) const override {
    return best(candidates, random,
                [&](const Peer& peer) { return peer.rate * (situation.now - peer.last_meeting); });
  }
};

// What the paper's code does.
class FirstCome final : public Policy {
 public:
  double eligible_from(const Situation& /*situation*/, const Peer& /*peer*/, Side /*side*/) const override {
    return kLongAgo;
  }
  const Peer* preferred(const Situation& /*situation*/, const std::vector<const Peer*>& candidates,
                        Random& random) const override {
    return best(candidates, random, [](const Peer& peer) { return -peer.available_since; });
  }
};

// The partner is drawn first, by λ_ij / λ_i, and then waited for; whoever offers meanwhile is accepted (two
// that wait for others would wait for ever).
class Target final : public Policy {
 public:
  double eligible_from(const Situation& /*situation*/, const Peer& peer, Side side) const override {
    return side == Side::kAccept || peer.worker == target_ ? kLongAgo : kNever;
  }
  const Peer* preferred(const Situation& /*situation*/, const std::vector<const Peer*>& candidates,
                        Random& /*random*/) const override {
    return candidates.front();
  }
  void on_search(const Situation& situation, Random& random) override {
    double total = 0.0;
    for (const Peer& peer : situation.peers) {
      if (!peer.up) continue;
      if (peer.worker == target_) return;
      total += peer.rate;
    }
    double draw = std::uniform_real_distribution<double>(0.0, total)(random);
    for (const Peer& peer : situation.peers) {
      if (!peer.up) continue;
      target_ = peer.worker;
      draw -= peer.rate;
      if (draw < 0.0) break;
    }
  }
  void on_meeting(const Peer& /*peer*/) override { target_ = -1; }

 private:
  int target_ = -1;
};

// Every edge has a Poisson clock of rate λ_ij, kept by its lower end: what the theory assumes.
class Memoryless final : public Policy {
 public:
  bool uses_budget() const override { return false; }

  double eligible_from(const Situation& /*situation*/, const Peer& peer, Side side) const override {
    if (side == Side::kAccept) return kLongAgo;
    const auto rings = rings_.find(peer.worker);
    return rings == rings_.end() || rings->second.empty() ? kNever : rings->second.front();
  }
  const Peer* preferred(const Situation& /*situation*/, const std::vector<const Peer*>& candidates,
                        Random& random) const override {
    return best(candidates, random, [&](const Peer& peer) { return -rings_.at(peer.worker).front(); });
  }
  void on_step(const Situation& situation, Random& random) override {
    std::uniform_real_distribution<double> within(0.0, situation.pace.steps.mean().value());
    for (const Peer& peer : situation.peers) {
      if (peer.worker < situation.self) continue;
      std::vector<double>& rings = rings_[peer.worker];
      for (int k = std::poisson_distribution<int>(peer.rate)(random); k > 0; --k)
        rings.push_back(situation.now + within(random));
      std::sort(rings.begin(), rings.end());
    }
  }
  void on_meeting(const Peer& peer) override {
    const auto rings = rings_.find(peer.worker);
    if (rings != rings_.end() && !rings->second.empty()) rings->second.erase(rings->second.begin());
  }

 private:
  std::map<int, std::vector<double>> rings_;
};

}  // namespace

double hold_off(const Situation& situation) {
  const RunningMean& interval = situation.pace.meetings.mean();
  if (situation.unlimited) return interval.known() ? interval.value() : situation.pace.duration.value();
  const double step = situation.rate > 0.0 ? situation.pace.steps.mean().value() / situation.rate : 0.0;
  const double longest = std::max(situation.pace.duration.value(), step);
  return interval.known() ? std::min(interval.value(), longest) : longest;
}

bool live(const Situation& situation, const Peer& peer, double hold_off) {
  if (!peer.up || peer.not_before > situation.now) return false;
  if (situation.done && peer.done) return false;  // neither of us will ever offer
  return peer.available || situation.now < peer.last_available + kLiveHoldOffs * hold_off;
}

std::unique_ptr<Policy> make_policy(const std::string& name, bool simulation, bool unlimited_budget) {
  if (name == "holdoff") return std::make_unique<HoldOff>();
  if (name == "fifo") return std::make_unique<FirstCome>();
  if (name == "target") return std::make_unique<Target>();
  if (name == "memoryless") {
    if (!simulation) {
      throw ConfigurationError(
          "pairing \"memoryless\" is for simulations only: its edges ring by clocks of their own, so a "
          "worker waits "
          "for one busy neighbour while others are free. Use holdoff (the default), fifo or target.");
    }
    if (unlimited_budget) {
      throw ConfigurationError(
          "pairing \"memoryless\" with an unlimited budget: its clocks count in steps, and without a budget "
          "there are "
          "none. Give it steps, or use holdoff, fifo or target.");
    }
    return std::make_unique<Memoryless>();
  }
  throw ConfigurationError("unknown pairing \"" + name +
                           "\". Known: holdoff (the default), fifo, target, and in simulations memoryless.");
}

}  // namespace duet::pairing
