#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "exchange/memory.h"
#include "transport/transport.h"

namespace duet::exchange {

/// One header and block of staging memory. Held by a meeting, or lent to the transport, or both in turn.
struct Slot {
  enum class State : std::uint8_t { kFree, kHeld, kLent, kDone };
  Memory<std::byte> data;
  State state = State::kFree;
  bool let_go = false;           ///< its meeting is over: free as soon as the transport gives it back
  duet_status status = DUET_OK;  ///< kDone: how the operation ended
  std::uint64_t bytes = 0;       ///< kDone: sent or received
};

/// The staging memory of a worker: 2 × depth slots for the meeting in progress. When a meeting was broken
/// off, its operations may still be in flight and their slots lent; the next meeting then gets spare ones, at
/// most as many again. If those are lent too it waits for the first that come back. All calls from the
/// communication thread.
class Staging : public std::enable_shared_from_this<Staging> {
 public:
  Staging(std::size_t slot_bytes, int depth);

  /// Has the transport pin the slots once, if it must pin what it moves. Spare ones are not worth it.
  void register_with(transport::Context& context);

  int depth() const { return depth_; }

  /// Two slots in state kHeld. False: all are lent.
  bool take(Slot*& first, Slot*& second);
  /// What take() gave; may still be lent.
  void give_back(Slot& slot);

  /// kHeld or kDone → kLent, until the transport's completion makes it kDone. Completions in flight keep this
  /// object alive. False: no room now (nothing changed), try again after Context::poll().
  bool send(transport::Connection& connection, Slot& slot, std::uint64_t bytes, std::uint64_t deadline_ns);
  bool receive(transport::Connection& connection, Slot& slot, std::uint64_t bytes, std::uint64_t deadline_ns);

  std::size_t slots() const { return slots_.size(); }
  std::size_t lent() const;

 private:
  Slot* take();
  transport::Completion completion(Slot& slot);

  std::size_t slot_bytes_;
  int depth_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::shared_ptr<void>> registrations_;  ///< of slots, so they go first
};

}  // namespace duet::exchange
