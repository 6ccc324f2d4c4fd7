#include "exchange/block_header.h"

#include <bit>
#include <cstring>
#include <type_traits>

#include "support/log.h"

#ifdef DUET_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>  // the same functions, by the best instructions that this processor has
#else
#include <xxhash.h>
#endif

namespace duet::exchange {
namespace {

constexpr std::uint32_t kMagic = 0x42545544;  // "DUTB"
constexpr std::uint16_t kVersion = 2;
constexpr std::uint32_t kFlagResult = 1;
constexpr std::uint32_t kFlagPayloadNotCovered = 2;

constexpr std::size_t kMagicAt = 0;
constexpr std::size_t kVersionAt = 4;
constexpr std::size_t kKindAt = 6;
constexpr std::size_t kDTypeAt = 7;
constexpr std::size_t kInFlightAt = 8;
constexpr std::size_t kExchangeAt = 16;
constexpr std::size_t kIndexAt = 24;
constexpr std::size_t kBlocksAt = 28;
constexpr std::size_t kMembersAt = 32;
constexpr std::size_t kFlagsAt = 36;
constexpr std::size_t kPayloadBytesAt = 40;
constexpr std::size_t kHeaderChecksumAt = 48;
constexpr std::size_t kChecksumAt = 56;

template <typename T>
void put(std::byte* to, T value) {
  static_assert(std::is_unsigned_v<T>);
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(to, &value, sizeof value);
  } else {
    for (std::size_t i = 0; i < sizeof value; ++i)
      to[i] = static_cast<std::byte>(value >> (8 * i) & 0xFF);
  }
}

template <typename T>
T get(const std::byte* from) {
  static_assert(std::is_unsigned_v<T>);
  T value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, from, sizeof value);
  } else {
    for (std::size_t i = 0; i < sizeof value; ++i)
      value |= static_cast<T>(static_cast<T>(from[i]) << (8 * i));
  }
  return value;
}

/// The header's hash seeds the payload's: one number over both, without a streaming state.
std::uint64_t checksum(const std::byte* block, std::uint64_t payload_bytes, std::uint64_t token) {
  const std::uint64_t seed = XXH3_64bits_withSeed(block, kChecksumAt, token);
  return XXH3_64bits_withSeed(block + kBlockHeaderBytes, payload_bytes, seed);
}

std::uint64_t header_checksum(const std::byte* block, std::uint64_t token) {
  return XXH3_64bits_withSeed(block, kHeaderChecksumAt, token);
}

const char* name(std::uint8_t kind) {
  switch (kind) {
    case static_cast<std::uint8_t>(BlockKind::kMeeting):
      return "a meeting";
    case static_cast<std::uint8_t>(BlockKind::kTreeUp):
      return "a tree pass, upwards";
    case static_cast<std::uint8_t>(BlockKind::kTreeDown):
      return "a tree pass, downwards";
    default:
      return "something unknown";
  }
}

void write_header(const BlockHeader& header, std::uint32_t flags, std::uint64_t token, std::byte* block) {
  std::memset(block, 0, kBlockHeaderBytes);
  put(block + kMagicAt, kMagic);
  put(block + kVersionAt, kVersion);
  put(block + kKindAt, static_cast<std::uint8_t>(header.kind));
  put(block + kDTypeAt, static_cast<std::uint8_t>(header.dtype));
  put(block + kInFlightAt, header.in_flight);
  put(block + kExchangeAt, header.exchange);
  put(block + kIndexAt, header.index);
  put(block + kBlocksAt, header.blocks);
  put(block + kMembersAt, header.members);
  put(block + kFlagsAt, flags | (header.result ? kFlagResult : 0U));
  put(block + kPayloadBytesAt, header.payload_bytes);
  put(block + kHeaderChecksumAt, header_checksum(block, token));
}

/// What is wrong with everything but the checksums.
std::string compare(const std::byte* block, std::uint64_t bytes, const BlockHeader& expected) {
  const std::uint64_t whole = kBlockHeaderBytes + expected.payload_bytes;
  if (bytes < kBlockHeaderBytes) {
    return fmt::format("it is {} bytes long, shorter than a block's header", bytes);
  }
  if (get<std::uint32_t>(block + kMagicAt) != kMagic) return "it does not begin as a block does";
  const auto version = get<std::uint16_t>(block + kVersionAt);
  if (version != kVersion) {
    return fmt::format("it has layout {}, and this worker knows {}: run the same version of Duet everywhere",
                       version, kVersion);
  }
  const auto kind = get<std::uint8_t>(block + kKindAt);
  if (kind != static_cast<std::uint8_t>(expected.kind)) {
    return fmt::format("it is part of {} instead of {}", name(kind),
                       name(static_cast<std::uint8_t>(expected.kind)));
  }
  const auto exchange = get<std::uint64_t>(block + kExchangeAt);
  if (exchange != expected.exchange) {
    return fmt::format("it belongs to {:#x} instead of {:#x}", exchange, expected.exchange);
  }
  const auto blocks = get<std::uint32_t>(block + kBlocksAt);
  if (blocks != expected.blocks) {
    return fmt::format(
        "its sender cuts the model into {} blocks and this worker into {}: block_bytes must be the same "
        "everywhere",
        blocks, expected.blocks);
  }
  const auto index = get<std::uint32_t>(block + kIndexAt);
  if (index != expected.index) return fmt::format("it is block {} instead of {}", index, expected.index);
  const auto in_flight = get<std::uint32_t>(block + kInFlightAt);
  if (in_flight != expected.in_flight) {
    return fmt::format(
        "its sender has {} blocks in flight and this worker {}: blocks_in_flight must be the same everywhere",
        in_flight, expected.in_flight);
  }
  const auto dtype = get<std::uint8_t>(block + kDTypeAt);
  if (dtype != static_cast<std::uint8_t>(expected.dtype)) {
    return fmt::format(
        "its elements are of type {} instead of {}: the wire's type must be the same everywhere", dtype,
        static_cast<int>(expected.dtype));
  }
  const auto payload_bytes = get<std::uint64_t>(block + kPayloadBytesAt);
  if (payload_bytes != expected.payload_bytes || bytes != whole) {
    return fmt::format("it is {} bytes long and says {}, where {} were expected", bytes, payload_bytes,
                       whole);
  }
  return {};
}

void take_over(const std::byte* block, const BlockHeader& expected, BlockHeader& found) {
  found = expected;
  found.members = get<std::uint32_t>(block + kMembersAt);
  found.result = (get<std::uint32_t>(block + kFlagsAt) & kFlagResult) != 0;
}

constexpr const char* kMismatch =
    "its checksum does not match: it was damaged on the way, or comes from someone who does not know the "
    "exchange's token";

}  // namespace

void seal_block(const BlockHeader& header, std::uint64_t token, std::byte* block) {
  write_header(header, 0, token, block);
  put(block + kChecksumAt, checksum(block, header.payload_bytes, token));
}

void seal_header(const BlockHeader& header, std::uint64_t token, std::byte* block) {
  write_header(header, kFlagPayloadNotCovered, token, block);
}

std::string open_block(const std::byte* block, std::uint64_t bytes, const BlockHeader& expected,
                       std::uint64_t token, BlockHeader& found, bool integrity) {
  std::string wrong = compare(block, bytes, expected);
  if (!wrong.empty()) return wrong;
  if ((get<std::uint32_t>(block + kFlagsAt) & kFlagPayloadNotCovered) != 0) {
    if (!integrity) return "its payload has no checksum, and the transport does not answer for it";
    return open_header(block, bytes, expected, token, found);
  }
  if (get<std::uint64_t>(block + kChecksumAt) != checksum(block, expected.payload_bytes, token))
    return kMismatch;
  take_over(block, expected, found);
  return {};
}

std::string open_header(const std::byte* block, std::uint64_t bytes, const BlockHeader& expected,
                        std::uint64_t token, BlockHeader& found) {
  std::string wrong = compare(block, bytes, expected);
  if (!wrong.empty()) return wrong;
  if (get<std::uint64_t>(block + kHeaderChecksumAt) != header_checksum(block, token)) return kMismatch;
  take_over(block, expected, found);
  return {};
}

bool is_checksum_mismatch(const std::string& wrong) {
  return wrong == kMismatch;
}

}  // namespace duet::exchange
