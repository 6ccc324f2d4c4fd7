#pragma once

#include <chrono>

#include "membership/roster.h"
#include "support/log.h"

namespace duet::membership {

/// Says, once, what a worker waits for when that takes longer than a start usually does: nobody should look
/// at a silent program until its deadline. Not thread-safe.
class WaitNotice {
 public:
  explicit WaitNotice(const Entry& mine) : mine_(&mine) {}  ///< the wait begins; `mine` must outlive this

  std::chrono::steady_clock::time_point due() const { return due_; }
  /// To be called while waiting. `awaited` makes the text that follows "is waiting for"; `option` is what
  /// sets the `limit`, in seconds.
  template <typename Awaited>
  void tell_once(double limit, const char* option, const Awaited& awaited) {
    if (told_ || std::chrono::steady_clock::now() < due_) return;
    told_ = true;
    support::info("{} is waiting for {}, up to {:g} s ({})", describe(*mine_), awaited(), limit, option);
  }

 private:
  const Entry* mine_;
  std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  bool told_ = false;
};

}  // namespace duet::membership
