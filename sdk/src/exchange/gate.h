#pragma once

#include <condition_variable>
#include <mutex>

namespace duet::exchange {

/// Who may touch d, and x from outside the trainer: the trainer or the communication thread, one at a time,
/// the trainer first. A plain mutex is not fair: a communication thread that goes through many blocks would
/// starve the trainer, and a trainer that does little between its steps the communication thread. So a
/// communication thread that was waiting when the trainer left goes next, for one block; the trainer waits
/// for one block at most. One trainer, one communication thread.
class Gate {
 public:
  void enter_trainer();
  void leave_trainer();
  /// False: the trainer is inside or wants in, and that did not change within `seconds` (0: does not wait).
  bool enter_communication(double seconds);
  void leave_communication();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false;
  bool trainer_waiting_ = false;
  bool communication_waiting_ = false;
  bool communication_next_ = false;  // it was waiting when the trainer left
};

}  // namespace duet::exchange
