#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "duet/buffer.h"

namespace duet::exchange {

/// What a block on the wire belongs to.
enum class BlockKind : std::uint8_t {
  kMeeting = 1,  ///< a snapshot, from one worker that meets to the other
  kTreeUp = 2,   ///< a sum, from child to parent
  kTreeDown = 3  ///< a result, from parent to child
};

/// What stands in front of every block on the wire. Fixed layout, little-endian, 64 bytes, so that the
/// payload behind it keeps its alignment:
///    0  magic "DUTB"      12  reserved, zero  36  flags
///    4  version (16 bit)  16  exchange        40  payload bytes
///    6  kind     (8 bit)  24  index           48  header's checksum
///    7  dtype    (8 bit)  28  blocks in all   56  checksum
///    8  in flight         32  members
/// The checksum is XXH3 (64 bit) over the header before it and the payload, seeded with the exchange's token:
/// it tells mix-ups, stray senders and damaged data, and is no cryptography. At 48 stands the same over the
/// header alone, for payloads that stay in a device's memory: they are moved by transports that answer for
/// their integrity themselves, and a flag says that the payload is not covered.
struct BlockHeader {
  BlockKind kind = BlockKind::kMeeting;
  DType dtype = DType::kFloat32;
  std::uint64_t exchange = 0;  ///< the meeting's id, or the number of a tree pass
  std::uint32_t index = 0;
  std::uint32_t blocks = 0;  ///< that the sender cuts the replica into
  /// How many blocks the sender has under way at a time. Both sides must have the same: one that sends more
  /// than the other has receives for can stop both, where a message without a receive holds up the
  /// acknowledgements behind it.
  std::uint32_t in_flight = 0;
  std::uint32_t members = 0;  ///< tree: how many workers the payload counts
  bool result = false;        ///< tree: the payload is the result of an earlier attempt, not a sum
  std::uint64_t payload_bytes = 0;
};

inline constexpr std::size_t kBlockHeaderBytes = 64;

/// Writes the header in front of the payload, which begins at block + kBlockHeaderBytes.
void seal_block(const BlockHeader& header, std::uint64_t token, std::byte* block);
/// The same for a payload that is elsewhere, and that the checksum does not cover.
void seal_header(const BlockHeader& header, std::uint64_t token, std::byte* block);

/// Empty: the `bytes` at `block` are a whole, undamaged block that agrees with `expected` in everything but
/// members and result, which are written to `found`. Else what is wrong, for a message. Reads nothing outside
/// of `bytes`. integrity: the transport answers for the payload, which need not be covered.
std::string open_block(const std::byte* block, std::uint64_t bytes, const BlockHeader& expected,
                       std::uint64_t token, BlockHeader& found, bool integrity = false);
/// The same where only the header is in host memory, whatever the payload: for transports with integrity.
std::string open_header(const std::byte* block, std::uint64_t bytes, const BlockHeader& expected,
                        std::uint64_t token, BlockHeader& found);
/// Whether such a text is about a checksum: the block is damaged, or of another meeting.
bool is_checksum_mismatch(const std::string& wrong);

}  // namespace duet::exchange
