#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "duet/observer/observer.h"
#include "recording_writer.h"

namespace duet::observer {

/// Writes a recording on a thread of its own: a slow disk holds nobody up. What the disk does not take in
/// time is dropped, the newest, and counted. add() and status() from one thread.
class Recorder {
 public:
  /// Throws as RecordingWriter does.
  Recorder(const std::string& path, bool overwrite);
  /// Writes what is queued and closes; waits for the disk for as long as a write takes.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void add(const Arrival& arrival);
  RecordingStatus status() const;

 private:
  static constexpr std::size_t kMostBytes = 64u << 20;  ///< queued

  void run();

  RecordingWriter writer_;  // of the thread alone
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // ---- under the mutex
  std::deque<Arrival> queue_;
  std::size_t queued_bytes_ = 0;
  bool ending_ = false;
  RecordingStatus status_;
  // ----
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace duet::observer
