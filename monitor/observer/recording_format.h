#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// How a recording looks in a file. Little-endian, whatever the machine. Pure.
///
///     file    8 bytes "DUETREC\n" · version u32 · length of text u32 · text (who recorded, for people) ·
///             xxh3 u64 of all before
///     record  length of payload u32 · kind u32 · time f64 (Unix seconds) · xxh3 u64 of these 16 bytes and
///     the
///             payload · payload
///
/// Kinds that a reader does not know are skipped; whoever changes anything else raises kRecordingVersion.
namespace duet::observer {

constexpr std::uint32_t kRecordingVersion = 1;
constexpr std::size_t kRecordHeaderBytes = 24;
constexpr std::size_t kLargestRecord = 64u << 20;
constexpr std::size_t kLargestRecordingText = 4096;

enum class RecordKind : std::uint32_t {
  kFrame = 1,
  kEnd = 2,  ///< the recording was closed: nothing is missing
};

std::string encode_recording_header(std::string_view text);
std::string encode_record(RecordKind kind, double time, std::string_view payload);
/// The record's header alone; the payload follows it in the file.
std::string encode_record_header(RecordKind kind, double time, std::string_view payload);

struct RecordingHeader {
  std::string text;
  std::size_t bytes = 0;  ///< of the header
};
/// nullopt, and *reason a sentence: not a recording, a newer version, cut off within the header, damaged.
std::optional<RecordingHeader> parse_recording_header(std::string_view bytes, std::string* reason);

struct Record {
  std::uint32_t kind = 0;
  double time = 0.0;
  std::string_view payload;  ///< into the bytes that were parsed
  std::size_t bytes = 0;     ///< of the record
};
struct RecordParse {
  enum class Outcome { kRecord, kNeedsMore, kBroken } outcome = Outcome::kBroken;
  Record record;
  std::size_t needs = 0;  ///< kNeedsMore: bytes of the record, as far as it is known
  std::string reason;     ///< kBroken
};
/// The record at the beginning of `bytes`.
RecordParse parse_record(std::string_view bytes);

}  // namespace duet::observer
