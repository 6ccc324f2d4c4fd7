#pragma once

#include <cstddef>
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

  /// Entries from … from + count, or as many of them as there are, as bytes for Worker::gather(). Same-endian
  /// machines only: all workers of one run.
  std::string pack(std::size_t from, std::size_t count) const;
  /// Appends what pack() made. Throws std::runtime_error when the bytes are not a log.
  void append(const std::string& bytes);
};

/// How many entries are handed in at once: about 8 MB, half of what Worker::gather() takes.
constexpr std::size_t kEntriesPerPart = 2000;

/// In how many parts a log of at most `entries` is handed in. Everyone must call gather() equally often, so
/// this depends on nothing that differs between workers.
std::size_t parts_of(std::size_t entries);
