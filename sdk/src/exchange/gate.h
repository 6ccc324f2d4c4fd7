#pragma once

#include <condition_variable>
#include <mutex>

namespace duet::exchange {

/// Who may touch d, and x from outside the trainer: the trainer or the communication thread, one at a time,
/// the trainer first. A plain mutex is not fair: a communication thread that goes through many blocks would
/// starve the trainer. The trainer waits for one block at most.
class Gate {
 public:
  void enter_trainer();
  void leave_trainer();
  /// False: the trainer is inside or wants in, and did not leave within `seconds`.
  bool enter_communication(double seconds);
  void leave_communication();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false;
  int trainers_waiting_ = 0;
};

}  // namespace duet::exchange
