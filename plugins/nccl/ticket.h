#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "bytes.h"

namespace duet::nccl {

/// ncclUniqueId, without NCCL's header.
using UniqueId = std::array<unsigned char, 128>;

/// What the accepting side tells the connecting one, over the host's control channel: the communicator's
/// unique id, and the secret that opens its door. At most 256 bytes.
struct Ticket {
  std::uint64_t session = 0;
  Id128 secret{};
  UniqueId id{};
  bool operator==(const Ticket&) const = default;

  static constexpr std::size_t kBytes = 4 + 8 + 16 + 128 + 8;
  std::string encode() const;
  /// Throws FailureError (DUET_MISUSE), with the name of the peer, when the bytes are no ticket, were damaged
  /// on the way, or belong to another session.
  static Ticket decode(const void* bytes, std::uint64_t size, std::uint64_t session, const std::string& peer);
};

}  // namespace duet::nccl
