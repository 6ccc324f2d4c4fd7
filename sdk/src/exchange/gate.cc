#include "exchange/gate.h"

#include <chrono>

namespace duet::exchange {

void Gate::enter_trainer() {
  std::unique_lock lock(mutex_);
  ++trainers_waiting_;
  changed_.wait(lock, [this] { return !inside_; });
  --trainers_waiting_;
  inside_ = true;
}

void Gate::leave_trainer() {
  {
    const std::lock_guard lock(mutex_);
    inside_ = false;
  }
  changed_.notify_all();
}

bool Gate::enter_communication(double seconds) {
  std::unique_lock lock(mutex_);
  const auto free = [this] { return !inside_ && trainers_waiting_ == 0; };
  if (!free() && !changed_.wait_for(lock, std::chrono::duration<double>(seconds), free)) return false;
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
