#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bytes.h"

namespace duet::nccl {

/// What the two ends of a link tell each other over their line. Docs: README.md, "How it works".
enum class FrameKind : std::uint32_t {
  kHello = 1,      ///< session; secret, process, gpu: the connecting side introduces itself
  kWelcome,        ///< process, gpu: and is let in; both open the communicator now
  kPostedSend,     ///< index, bytes: a send is ready to run
  kPostedReceive,  ///< index, bytes
  kLaunch,         ///< index of the group, sends, receives: the leader has launched it, do the same
  kDone,           ///< index of the group: it is complete on this side
  kHalt,           ///< an operation was taken back: launch nothing more
  kGoodbye,        ///< status: the link has ended on this side
};

struct Frame {
  FrameKind kind = FrameKind::kGoodbye;
  std::uint64_t first = 0;   ///< session, index or status
  std::uint64_t second = 0;  ///< bytes, or the leader's sends
  std::uint64_t third = 0;   ///< the leader's receives
  Id128 secret{};
  Id128 process{};
  Id128 gpu{};
  bool operator==(const Frame&) const = default;

  static constexpr std::size_t kBytes = 80;
  using Bytes = std::array<unsigned char, kBytes>;
  Bytes encode() const;
  static std::optional<Frame> decode(const unsigned char* bytes);
};

}  // namespace duet::nccl
