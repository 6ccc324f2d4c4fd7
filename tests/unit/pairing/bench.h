#pragma once

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "pairing/pairing.h"

namespace duet::pairing {

/// Worker 5, between 3 and 8, with all the budget in the world.
inline Config between_3_and_8() {
  Config config;
  config.self = 5;
  config.neighbours = {{3, 0.5}, {8, 0.5}};
  config.unlimited_budget = true;
  return config;
}

/// One machine under test, with its neighbours played by the test: what it sends is looked at, what it hears
/// is said.
class Bench {
 public:
  explicit Bench(Config config) : machine(std::move(config)) {}

  /// The messages sent since the last call, Begin actions aside (see begins).
  std::vector<Send> sent() {
    std::vector<Send> result;
    for (const Action& action : machine.take_actions()) {
      if (const auto* send = std::get_if<Send>(&action)) {
        result.push_back(*send);
      } else {
        begins.push_back(std::get<Begin>(action));
      }
    }
    return result;
  }
  /// Of those, the ones of one kind.
  std::vector<Send> sent(MessageKind kind) {
    std::vector<Send> result;
    for (const Send& send : sent())
      if (send.message.kind == kind) result.push_back(send);
    return result;
  }
  void hear(double now, int peer, MessageKind kind, std::uint64_t meeting = 0, std::uint64_t token = 0,
            DeclineReason reason = DeclineReason::kNone) {
    machine.on_message(now, peer, {.kind = kind, .meeting = meeting, .token = token, .reason = reason});
  }
  /// A whole meeting that `peer` offered. The machine must be free and willing.
  void meet(double now, int peer, std::uint64_t meeting, double duration) {
    hear(now, peer, MessageKind::kOffer, meeting, 1);
    hear(now, peer, MessageKind::kStart, meeting);
    machine.on_meeting_began(now);
    machine.on_meeting_ended(now + duration, true);
  }

  /// The neighbours have no budget just now: what the machine offers is declined.
  void decline_offers(double now) {
    for (auto offers = sent(MessageKind::kOffer); !offers.empty(); offers = sent(MessageKind::kOffer))
      for (const Send& offer : offers)
        hear(now, offer.peer, MessageKind::kDecline, offer.message.meeting, 0, DeclineReason::kNoBudget);
  }

  Pairing machine;
  std::vector<Begin> begins;
};

}  // namespace duet::pairing
