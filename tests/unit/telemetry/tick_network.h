#pragma once

#include <deque>
#include <memory>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "telemetry/sketch.h"
#include "telemetry/tick_tree.h"

namespace duet::telemetry {

/// All workers' TickTrees and the messages between them, in a time of its own. `lose`, `repeat` and `reorder`
/// are probabilities per message.
class TickNetwork {
 public:
  explicit TickNetwork(const std::vector<int>& parents, double patience = 2.0, unsigned seed = 1)
      : engine_(seed) {
    for (std::size_t i = 0; i < parents.size(); ++i)
      trees_.emplace_back(patience);
    set_parents(parents, 1);
  }

  /// parents[i]: of worker i; −1: the root. −2: no member.
  void set_parents(const std::vector<int>& parents, std::uint64_t live_hash) {
    for (int self = 0; self < size(); ++self)
      set_parents_of(self, parents, live_hash);
  }
  void set_parents_of(int self, const std::vector<int>& parents, std::uint64_t live_hash) {
    membership::Tree tree;
    tree.parent = parents[static_cast<std::size_t>(self)];
    tree.size = 0;
    for (int i = 0; i < static_cast<int>(parents.size()); ++i) {
      tree.size += parents[static_cast<std::size_t>(i)] > -2 ? 1 : 0;
      if (parents[static_cast<std::size_t>(i)] == self) tree.children.push_back(i);
    }
    of(self).set_tree(tree, self, live_hash);
  }

  int size() const { return static_cast<int>(trees_.size()); }
  TickTree& of(int worker) { return trees_[static_cast<std::size_t>(worker)]; }

  /// Hands in the own part of `worker` and takes what it sends onto the wire.
  void own(int worker, control::TickSums part) {
    of(worker).on_own(now, std::move(part));
    collect(worker);
  }
  /// Delivers one message. False: none is under way.
  bool deliver() {
    if (wire_.empty()) return false;
    std::size_t at = 0;
    if (happens(reorder)) at = engine_() % wire_.size();
    Packet packet = wire_[at];
    if (happens(repeat)) {
      // stays, to come again
    } else {
      wire_.erase(wire_.begin() + static_cast<long>(at));
    }
    if (happens(lose)) return true;
    if (const auto* up = std::get_if<control::TickUp>(&packet.body))
      of(packet.to).on_up(now, packet.from, *up);
    if (const auto* down = std::get_if<control::TickDown>(&packet.body))
      of(packet.to).on_down(now, packet.from, *down);
    collect(packet.to);
    return true;
  }
  void deliver_all() {
    while (deliver()) {
    }
  }
  void pass_time(double seconds) {
    now += seconds;
    for (int worker = 0; worker < size(); ++worker) {
      of(worker).on_time(now);
      collect(worker);
    }
  }
  std::size_t under_way() const { return wire_.size(); }

  double now = 100.0;
  double lose = 0.0;
  double repeat = 0.0;
  double reorder = 0.0;

 private:
  struct Packet {
    int from = 0;
    int to = 0;
    control::Body body;
  };

  bool happens(double probability) { return std::uniform_real_distribution<double>()(engine_) < probability; }
  void collect(int worker) {
    for (auto& outgoing : of(worker).take_outgoing()) {
      wire_.push_back({worker, outgoing.peer, std::move(outgoing.body)});
    }
  }

  std::mt19937 engine_;
  std::deque<TickTree> trees_;
  std::deque<Packet> wire_;
};

/// The breadth-first tree of a ring, rooted at 0: two arms.
inline std::vector<int> ring_parents(int workers) {
  std::vector<int> parents(static_cast<std::size_t>(workers));
  for (int i = 0; i < workers; ++i)
    parents[static_cast<std::size_t>(i)] = i <= workers / 2 ? i - 1 : (i + 1) % workers;
  return parents;
}

}  // namespace duet::telemetry
