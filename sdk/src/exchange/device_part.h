#pragma once

#include <memory>

#include "device/device.h"

namespace duet::exchange {

/// What a replica has on one device: its parts of d and z, and who waits for whom there. On a device the gate
/// (gate.h) covers only what is enqueued: the trainer's work is enqueued on the trainer's stream, the
/// communication thread's on passes(), and wherever one follows the other through the gate, its stream waits
/// for the other's event, on the device. So x, d and z are touched in the order of the gate, and no host
/// thread waits for a kernel.
///
/// Not thread-safe: the trainer's functions are for its thread, the communication thread's for that one, and
/// what they share is guarded by the gate (or by the trainer's waiting in a call).
class DevicePart {
 public:
  DevicePart(std::shared_ptr<device::Device> device, void* trainer_stream);
  ~DevicePart();  ///< settles
  DevicePart(const DevicePart&) = delete;
  DevicePart& operator=(const DevicePart&) = delete;

  /// Before memory of the device, or pinned for it, is freed: waits until nothing is left of what both
  /// threads enqueued, for a few seconds at most; gives the device up if that does not end. When the trainer
  /// does not work with the replica any more.
  void settle() noexcept;

  device::Device& device() const { return *device_; }

  // ---- the trainer's thread
  /// Its stream from now on waits for what the communication thread has enqueued.
  void trainer_enters();
  device::Stream& trainer_stream() { return trainer_; }
  /// What the communication thread enqueues from now on waits for the trainer's stream.
  void trainer_leaves();
  /// Another stream for the trainer's work from now on; it follows the one before it.
  void set_trainer_stream(void* stream);
  /// Has what the trainer enqueued, and what it waits for, happened? For at most so long.
  bool trainer_waits(double seconds) const;

  // ---- the communication thread
  /// For everything that touches x, d and z; behind the gate.
  device::Stream& passes();
  /// Before it leaves the gate.
  void communication_leaves();
  /// For copies and checks of staging memory; no gate is needed.
  device::Stream& incoming() { return incoming_; }
  device::Stream& outgoing() { return outgoing_; }

 private:
  std::shared_ptr<device::Device> device_;
  device::Stream trainer_;
  device::Stream passes_;
  device::Stream incoming_;
  device::Stream outgoing_;
  device::Event trainer_left_;
  device::Event passes_left_;
  bool trainer_was_here_ = false;  // since passes() last waited
  bool passes_were_here_ = false;  // since the trainer last waited
  bool passes_in_use_ = false;     // since communication_leaves()
};

}  // namespace duet::exchange
