#include "recorder.h"

#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace duet::observer {
namespace {

/// Who reads along sees what is at most this old.
constexpr std::chrono::milliseconds kFlush(500);

}  // namespace

Recorder::Recorder(const std::string& path, bool overwrite) : writer_(path, overwrite) {
  status_.path = path;
  thread_ = std::thread([this] { run(); });
}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Recorder::add(const Arrival& arrival) {
  {
    const std::lock_guard lock(mutex_);
    if (!status_.problem.empty() || queued_bytes_ + arrival.bytes.size() > kMostBytes) {
      ++status_.dropped;
      return;
    }
    queue_.push_back(arrival);
    queued_bytes_ += arrival.bytes.size();
  }
  changed_.notify_one();
}

RecordingStatus Recorder::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Recorder::run() {
  auto flushed = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, kFlush, [this] { return ending_ || !queue_.empty(); });
    std::deque<Arrival> batch = std::exchange(queue_, {});
    queued_bytes_ = 0;
    const bool last = ending_;
    lock.unlock();
    std::string problem;
    try {
      for (const Arrival& arrival : batch)
        if (!writer_.append(arrival.time, arrival.bytes)) break;
    } catch (const std::exception& error) {
      // A frame that is too large, or no memory: the recording ends, the program does not.
      problem = "recording to " + writer_.path() + " ended: " + error.what();
    }
    if (last) {
      writer_.close();
    } else if (std::chrono::steady_clock::now() - flushed >= kFlush) {
      writer_.flush();
      flushed = std::chrono::steady_clock::now();
    }
    lock.lock();
    status_.frames = writer_.frames();
    status_.bytes = writer_.bytes();
    if (status_.problem.empty()) status_.problem = problem.empty() ? writer_.problem() : problem;
    if (last) return;
  }
}

}  // namespace duet::observer
