#include "exchange/device_part.h"

#include <chrono>
#include <utility>

namespace duet::exchange {
namespace {

/// A device that has not done by then is taken for dead.
constexpr auto kSettleTime = std::chrono::seconds(5);

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
  settle();
}

void DevicePart::settle() noexcept {
  if (device_->given_up()) return;
  const auto end = std::chrono::steady_clock::now() + kSettleTime;
  const auto ends = [end](const device::Event& last) {
    return last.wait(std::chrono::duration<double>(end - std::chrono::steady_clock::now()).count());
  };
  try {
    for (device::Stream* stream : {&incoming_, &outgoing_, &passes_}) {
      device::Event last = device_->make_event();
      last.record(*stream);
      if (!ends(last)) return device_->give_up("what a worker had it do");
    }
    // The trainer's last delivery reads d.
    if (!ends(trainer_left_)) device_->give_up("what the trainer had it do");
  } catch (const std::exception& error) {
    device_->give_up(error.what());
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
