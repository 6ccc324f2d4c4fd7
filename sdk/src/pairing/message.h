#pragma once

#include <cstdint>

namespace duet::pairing {

enum class MessageKind : std::uint8_t {
  kAvailable,    ///< I have budget and no partner
  kUnavailable,  ///< not any more (I have a partner, or no budget)
  kOffer,        ///< let us meet
  kAccept,       ///< yes (answers kOffer)
  kDecline,      ///< no, and why (answers kOffer)
  kStart,        ///< I have heard your accept: go (answers kAccept); no block is posted before
  kWithdrawn,    ///< your accept or start came too late, let go (answers kAccept, kStart)
  kDone,         ///< I trained all that I wanted: I take meetings, but offer none
};

enum class DeclineReason : std::uint8_t { kNone, kBusy, kNoBudget, kJustMet, kStopped };

/// One protocol message between two neighbours. Run id, epoch and incarnations travel in the envelope.
struct Message {
  MessageKind kind = MessageKind::kAvailable;
  std::uint64_t meeting = 0;  ///< kOffer … kWithdrawn: chosen by the offerer, unique within the run
  std::uint64_t token = 0;    ///< kOffer: the meeting's secret, seeds its checksums
  DeclineReason reason = DeclineReason::kNone;
  bool operator==(const Message&) const = default;
};

}  // namespace duet::pairing
