#include "exchange/gate.h"

#include <chrono>

namespace duet::exchange {

void Gate::enter_trainer() {
  std::unique_lock lock(mutex_);
  trainer_waiting_ = true;
  changed_.wait(lock, [this] { return !inside_ && !communication_next_; });
  trainer_waiting_ = false;
  inside_ = true;
}

void Gate::leave_trainer() {
  {
    const std::lock_guard lock(mutex_);
    inside_ = false;
    communication_next_ = communication_waiting_;
  }
  changed_.notify_all();
}

bool Gate::enter_communication(double seconds) {
  std::unique_lock lock(mutex_);
  const auto free = [this] { return !inside_ && (!trainer_waiting_ || communication_next_); };
  if (!free()) {
    if (seconds <= 0.0) return false;
    communication_waiting_ = true;
    const bool entered = changed_.wait_for(lock, std::chrono::duration<double>(seconds), free);
    communication_waiting_ = false;
    // Never true here without having entered: whoever left made room.
    if (!entered) return false;
  }
  communication_next_ = false;
  inside_ = true;
  return true;
}

void Gate::leave_communication() {
  {
    const std::lock_guard lock(mutex_);
    inside_ = false;
  }
  changed_.notify_all();
}

}  // namespace duet::exchange
