#include "recording_format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cmath>
#include <stdexcept>

namespace duet::observer {
namespace {

constexpr std::string_view kMagic = "DUETREC\n";
constexpr std::size_t kFixedHeader = 16;
constexpr std::size_t kChecksum = 8;

template <typename Integer>
void put(std::string& to, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    to.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
}

template <typename Integer>
Integer get(std::string_view from, std::size_t at) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i)
    value |= static_cast<Integer>(static_cast<unsigned char>(from[at + i])) << (8 * i);
  return value;
}

std::uint64_t record_checksum(std::string_view head, std::string_view payload) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, head.data(), head.size());
  XXH3_64bits_update(&state, payload.data(), payload.size());
  return XXH3_64bits_digest(&state);
}

RecordParse broken(std::string reason) {
  return {.outcome = RecordParse::Outcome::kBroken, .record = {}, .needs = 0, .reason = std::move(reason)};
}

}  // namespace

std::string encode_recording_header(std::string_view text) {
  text = text.substr(0, kLargestRecordingText);
  std::string bytes(kMagic);
  put(bytes, kRecordingVersion);
  put(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
  put(bytes, static_cast<std::uint64_t>(XXH3_64bits(bytes.data(), bytes.size())));
  return bytes;
}

std::string encode_record_header(RecordKind kind, double time, std::string_view payload) {
  if (payload.size() > kLargestRecord) throw std::length_error("a frame of a recording is too large");
  std::string bytes;
  put(bytes, static_cast<std::uint32_t>(payload.size()));
  put(bytes, static_cast<std::uint32_t>(kind));
  put(bytes, std::bit_cast<std::uint64_t>(time));
  put(bytes, record_checksum(bytes, payload));
  return bytes;
}

std::string encode_record(RecordKind kind, double time, std::string_view payload) {
  return encode_record_header(kind, time, payload).append(payload);
}

std::optional<RecordingHeader> parse_recording_header(std::string_view bytes, std::string* reason) {
  const auto refuse = [&](std::string text) {
    if (reason != nullptr) *reason = std::move(text);
    return std::nullopt;
  };
  const std::string_view start = bytes.substr(0, kMagic.size());
  if (start.empty() || start != kMagic.substr(0, start.size())) {
    return refuse(bytes.empty() ? "the file is empty" : "it is not a recording of Duet");
  }
  if (bytes.size() < kFixedHeader) return refuse("it breaks off within its header: nothing can be read");
  const auto version = get<std::uint32_t>(bytes, 8);
  if (version == 0 || version > kRecordingVersion) {
    return refuse("it is of version " + std::to_string(version) +
                  " of recordings, this program reads up to " + std::to_string(kRecordingVersion) +
                  ": open it with the Duet that recorded it, or a newer one");
  }
  const auto length = get<std::uint32_t>(bytes, 12);
  if (length > kLargestRecordingText) return refuse("its header is damaged");
  const std::size_t size = kFixedHeader + length;
  if (bytes.size() < size + kChecksum) return refuse("it breaks off within its header: nothing can be read");
  if (get<std::uint64_t>(bytes, size) != XXH3_64bits(bytes.data(), size))
    return refuse("its header is damaged");
  return RecordingHeader{std::string(bytes.substr(kFixedHeader, length)), size + kChecksum};
}

RecordParse parse_record(std::string_view bytes) {
  const auto needs = [](std::size_t size) {
    return RecordParse{
        .outcome = RecordParse::Outcome::kNeedsMore, .record = {}, .needs = size, .reason = {}};
  };
  if (bytes.size() < kRecordHeaderBytes) return needs(kRecordHeaderBytes);
  const auto length = get<std::uint32_t>(bytes, 0);
  if (length > kLargestRecord) return broken("a record claims " + std::to_string(length) + " bytes");
  if (bytes.size() < kRecordHeaderBytes + length) return needs(kRecordHeaderBytes + length);
  const std::string_view payload = bytes.substr(kRecordHeaderBytes, length);
  if (get<std::uint64_t>(bytes, 16) != record_checksum(bytes.substr(0, 16), payload)) {
    return broken("a record's checksum does not match");
  }
  const double time = std::bit_cast<double>(get<std::uint64_t>(bytes, 8));
  if (!std::isfinite(time)) return broken("a record has no time");
  return {.outcome = RecordParse::Outcome::kRecord,
          .record = {get<std::uint32_t>(bytes, 4), time, payload, kRecordHeaderBytes + length},
          .needs = 0,
          .reason = {}};
}

}  // namespace duet::observer
