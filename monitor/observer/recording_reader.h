#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "duet/observer/source.h"
#include "recording_format.h"

namespace duet::observer {

/// A recording, from its beginning to its end or to where it breaks off. The constructor reads all of it
/// once, so that what is there is known; then frames are read again where they are wanted. Not thread-safe.
class RecordingReader {
 public:
  /// Throws ConfigurationError: no such file, not a recording, a newer version (names both), nothing in it.
  explicit RecordingReader(const std::string& path);
  ~RecordingReader();
  RecordingReader(const RecordingReader&) = delete;
  RecordingReader& operator=(const RecordingReader&) = delete;

  std::size_t frames() const { return frames_.size(); }
  /// Of a frame; never falls: a wall clock that was set back while recording holds the time up, and does not
  /// turn it round.
  double time(std::size_t frame) const { return frames_[frame].time; }
  double begin() const { return frames_.front().time; }
  double end() const { return frames_.back().time; }
  /// The first frame at or after `time`; frames() where there is none.
  std::size_t first_at(double time) const;
  /// False: it cannot be read any more (the file was changed meanwhile).
  bool read(std::size_t frame, Arrival& into) const;

  const std::string& text() const { return text_; }  ///< who recorded
  /// Whether it was closed. Otherwise break_text() says where it ends, and why.
  bool complete() const { return complete_; }
  const std::string& break_text() const { return break_text_; }

 private:
  struct Frame {
    double time;
    std::uint64_t offset;  ///< of its record
    std::uint32_t bytes;
  };
  void index(const std::string& path);
  std::string read_at(std::uint64_t offset, std::size_t bytes) const;

  int descriptor_ = -1;
  std::vector<Frame> frames_;
  std::string text_;
  bool complete_ = false;
  std::string break_text_;
};

}  // namespace duet::observer
