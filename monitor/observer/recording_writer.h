#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "recording_format.h"

namespace duet::observer {

/// Appends records to a new file. Whatever was appended before a crash can be read. Not thread-safe; writing
/// may wait for the disk: Recorder does that on a thread of its own.
class RecordingWriter {
 public:
  /// Throws ConfigurationError: the file is there already (unless `overwrite`), or cannot be made.
  RecordingWriter(const std::string& path, bool overwrite);
  ~RecordingWriter();  ///< closes; whatever goes wrong then is lost with it
  RecordingWriter(const RecordingWriter&) = delete;
  RecordingWriter& operator=(const RecordingWriter&) = delete;

  /// False: the disk refused (problem() says why), and nothing more will be written.
  bool append(double time, std::string_view frame);
  bool flush();
  /// Marks the recording as complete.
  bool close();

  std::uint64_t frames() const { return frames_; }
  std::uint64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  const std::string& problem() const { return problem_; }

 private:
  bool write(RecordKind kind, double time, std::string_view payload);

  static constexpr std::size_t kBuffer = 256u << 10;

  std::string path_;
  int descriptor_ = -1;
  std::string buffer_;
  double last_time_ = 0.0;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::string problem_;
};

}  // namespace duet::observer
