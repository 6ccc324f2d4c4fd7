#include "recording_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "duet/error.h"

namespace duet::observer {
namespace {

constexpr std::size_t kChunk = 1u << 20;

std::string at_byte(std::uint64_t offset) {
  return " at byte " + std::to_string(offset);
}

}  // namespace

RecordingReader::RecordingReader(const std::string& path) {
  descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw ConfigurationError("cannot open " + path + ": " + std::strerror(errno));
  try {
    struct stat status {};
    if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode))
      throw ConfigurationError("cannot open " + path + ": it is not a file");
    index(path);
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

RecordingReader::~RecordingReader() {
  close(descriptor_);
}

std::string RecordingReader::read_at(std::uint64_t offset, std::size_t bytes) const {
  std::string buffer(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t count =
        pread(descriptor_, buffer.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  buffer.resize(done);
  return buffer;
}

void RecordingReader::index(const std::string& path) {
  std::uint64_t offset = 0;  // in the file, of what `window` begins with
  std::string window = read_at(0, kChunk);
  std::string reason;
  const auto header = parse_recording_header(window, &reason);
  if (!header) throw ConfigurationError("cannot open " + path + ": " + reason);
  text_ = header->text;

  std::size_t at = header->bytes;  // within the window
  double latest = 0.0;
  for (;;) {
    const RecordParse parse = parse_record(std::string_view(window).substr(at));
    if (parse.outcome == RecordParse::Outcome::kNeedsMore) {
      const std::size_t left = window.size() - at;
      offset += at;
      at = 0;
      window = read_at(offset, std::max(kChunk, parse.needs));
      if (window.size() > left) continue;
      if (left > 0) break_text_ = "it breaks off within a record" + at_byte(offset);
      break;
    }
    if (parse.outcome == RecordParse::Outcome::kBroken) {
      break_text_ = "it is damaged" + at_byte(offset + at) + ": " + parse.reason;
      break;
    }
    const Record& record = parse.record;
    if (record.kind == static_cast<std::uint32_t>(RecordKind::kEnd)) {
      complete_ = true;
      break;
    }
    if (record.kind == static_cast<std::uint32_t>(RecordKind::kFrame)) {
      latest = frames_.empty() ? record.time : std::max(latest, record.time);
      frames_.push_back({latest, offset + at, static_cast<std::uint32_t>(record.bytes)});
    }
    at += record.bytes;
  }
  if (frames_.empty()) {
    throw ConfigurationError("cannot open " + path + ": there is no frame in it" +
                             (break_text_.empty() ? "" : "; " + break_text_));
  }
  if (!complete_ && break_text_.empty())
    break_text_ = "it was not closed: the last frame in it ends" +
                  at_byte(frames_.back().offset + frames_.back().bytes);
}

std::size_t RecordingReader::first_at(double time) const {
  const auto found = std::lower_bound(frames_.begin(), frames_.end(), time,
                                      [](const Frame& frame, double at) { return frame.time < at; });
  return static_cast<std::size_t>(found - frames_.begin());
}

bool RecordingReader::read(std::size_t frame, Arrival& into) const {
  const Frame& entry = frames_[frame];
  const std::string bytes = read_at(entry.offset, entry.bytes);
  const RecordParse parse = parse_record(bytes);
  if (parse.outcome != RecordParse::Outcome::kRecord) return false;
  into.time = entry.time;
  into.bytes = parse.record.payload;
  return true;
}

}  // namespace duet::observer
