#pragma once

#include <atomic>

namespace duet::worker {

/// Wakes the communication thread from its sleep. The trainer calls wake() at every step, so it costs a
/// system call only when the other side really sleeps.
class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  /// From any thread, after the news was published (with sequential consistency).
  void wake();

  /// By the sleeper: announce the sleep, look once more for news, then sleep on descriptor(), then awake().
  void falling_asleep() { asleep_.store(true); }
  void awake();
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  std::atomic<bool> asleep_{false};
};

}  // namespace duet::worker
