#include "exchange/device_part.h"

#include <utility>

#include "support/log.h"

namespace duet::exchange {
namespace {

/// A device that has not done by then is taken for dead.
constexpr double kDrainSeconds = 5.0;

}  // namespace

DevicePart::DevicePart(std::shared_ptr<device::Device> device, void* trainer_stream)
    : device_(std::move(device)),
      trainer_(device_, trainer_stream),
      passes_(device_->make_stream()),
      incoming_(device_->make_stream()),
      outgoing_(device_->make_stream()),
      trainer_left_(device_->make_event()),
      passes_left_(device_->make_event()) {
  // Whatever filled x before this object was made.
  trainer_leaves();
}

DevicePart::~DevicePart() {
  try {
    for (device::Stream* stream : {&incoming_, &outgoing_, &passes_}) {
      device::Event last = device_->make_event();
      last.record(*stream);
      if (!last.wait(kDrainSeconds)) {
        support::error("{}: work did not end within {:g} s", device_->name(), kDrainSeconds);
        return;
      }
    }
    // The trainer's last delivery reads d.
    if (!trainer_left_.wait(kDrainSeconds))
      support::error("{}: the trainer's work did not end within {:g} s", device_->name(), kDrainSeconds);
  } catch (const std::exception& error) {
    support::error("{}", error.what());
  }
}

void DevicePart::trainer_enters() {
  if (!passes_were_here_) return;
  trainer_.wait(passes_left_);
  passes_were_here_ = false;
}

void DevicePart::trainer_leaves() {
  trainer_left_.record(trainer_);
  trainer_was_here_ = true;
}

void DevicePart::set_trainer_stream(void* stream) {
  if (stream == trainer_.handle()) return;
  device::Event before = device_->make_event();
  before.record(trainer_);
  device::Stream next(device_, stream);
  next.wait(before);
  trainer_ = std::move(next);
}

bool DevicePart::trainer_waits(double seconds) const {
  return trainer_left_.wait(seconds);
}

device::Stream& DevicePart::passes() {
  if (trainer_was_here_) {
    passes_.wait(trainer_left_);
    trainer_was_here_ = false;
  }
  passes_in_use_ = true;
  return passes_;
}

void DevicePart::communication_leaves() {
  if (!passes_in_use_) return;
  passes_in_use_ = false;
  passes_left_.record(passes_);
  passes_were_here_ = true;
}

}  // namespace duet::exchange
