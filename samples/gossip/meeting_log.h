#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What one worker writes down: its position's sketch at the start and after every meeting.
struct LogEntry {
  double seconds = 0.0;  ///< wall clock, comparable between workers of one machine
  int peer = -1;         ///< whom it met; −1: the start
  std::vector<float> sketch;
};

struct MeetingLog {
  std::vector<LogEntry> entries;

  /// As bytes, for Worker::gather(). Same-endian machines only: all workers of one run.
  std::string pack() const;
  /// Throws std::runtime_error when the bytes are not a log.
  static MeetingLog unpack(const std::string& bytes);
};
