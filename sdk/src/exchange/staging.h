#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "device/device.h"
#include "exchange/device_part.h"
#include "exchange/replica.h"
#include "transport/transport.h"

namespace duet::exchange {

/// A slot's second half, for blocks on one device.
struct DeviceSlot {
  const DevicePart* part = nullptr;
  device::Bytes memory;   ///< device memory, laid out as Slot::data
  device::Event moved;    ///< the last copy or check that touches it, or the slot's host memory
  device::Event applied;  ///< the last pass that reads it
};

/// One header and block of staging memory. Held by a meeting, or lent to the transport, or both in turn.
struct Slot {
  enum class State : std::uint8_t { kFree, kHeld, kLent, kDone };
  /// Header, payload, and a double behind them (Staging::distance_at()). Host memory, pinned where there are
  /// devices.
  device::Bytes data;
  std::vector<DeviceSlot> on_devices;
  State state = State::kFree;
  bool let_go = false;           ///< its meeting is over: free as soon as the transport gives it back
  duet_status status = DUET_OK;  ///< kDone: how the operation ended
  std::uint64_t bytes = 0;       ///< kDone: sent or received

  DeviceSlot& on(const DevicePart* part);
  /// Nothing enqueued on a device touches it any more.
  bool idle() const;
};

/// The staging memory of a worker: 2 × depth slots for the meeting in progress. When a meeting was broken
/// off, its operations may still be in flight and their slots lent; the next meeting then gets spare ones, at
/// most as many again. If those are lent too it waits for the first that come back; the same for slots that
/// work on a device still touches. All calls from the communication thread.
///
/// Blocks on devices pass through host memory on their way (pinned; the checksum is computed there), unless
/// the transport takes that device's memory and answers for the data's integrity: then they stay there.
class Staging : public std::enable_shared_from_this<Staging> {
 public:
  /// The replica must outlive it. capabilities, only_device: the transport's (transport::Context).
  Staging(const Replica& replica, DType wire, int depth, std::uint64_t capabilities, int only_device = -1);
  /// Waits for what devices still do with its memory, for some seconds at most.
  ~Staging();

  /// Has the transport pin the slots once, if it must pin what it moves. Spare ones are not worth it.
  void register_with(transport::Context& context);

  int depth() const { return depth_; }
  bool integrity() const { return integrity_; }
  /// Blocks on this device (null: the host) stay on it.
  bool wire_on(const DevicePart* part) const {
    return wire_on_device_ && part != nullptr && (only_device_ < 0 || part->device().index() == only_device_);
  }
  std::size_t distance_at() const { return distance_at_; }  ///< bytes from a slot's beginning

  /// Two slots in state kHeld. False: all are lent.
  bool take(Slot*& first, Slot*& second);
  /// What take() gave; may still be lent.
  void give_back(Slot& slot);

  /// kHeld or kDone → kLent, until the transport's completion makes it kDone. Completions in flight keep this
  /// object alive. False: no room now (nothing changed), try again after Context::poll().
  /// part: the device of the block.
  bool send(transport::Connection& connection, const DevicePart* part, Slot& slot, std::uint64_t bytes,
            std::uint64_t deadline_ns);
  bool receive(transport::Connection& connection, const DevicePart* part, Slot& slot, std::uint64_t bytes,
               std::uint64_t deadline_ns);

  std::size_t slots() const { return slots_.size(); }
  std::size_t lent() const;

 private:
  Slot* take();
  std::unique_ptr<Slot> make_slot() const;
  transport::Completion completion(Slot& slot);

  const Replica& replica_;
  int depth_;
  bool integrity_;
  bool wire_on_device_;
  int only_device_;
  std::size_t distance_at_;
  bool no_memory_ = false;  // for one more slot; was said
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<std::shared_ptr<void>> registrations_;  ///< of slots, so they go first
};

}  // namespace duet::exchange
