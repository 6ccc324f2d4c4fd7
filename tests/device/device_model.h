#pragma once

#include <duet/duet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "device/rig.h"

namespace duet::test {

/// A trainer's parameters on a device, which it moves by copies and passes on a stream of its own.
class DeviceModel {
 public:
  explicit DeviceModel(const std::vector<float>& start, DType dtype = DType::kFloat32, int index = 0)
      : device_(open_device(index)),
        dtype_(dtype),
        x_(dtype == DType::kFloat32 ? DeviceArray(device_, start) : DeviceArray(device_, rounded(start))),
        update_(device_, std::vector<float>(start.size())),
        stream_(device_->make_stream()),
        used_(device_->make_event()),
        pinned_(device_->allocate_pinned(start.size() * sizeof(float), "an update")),
        count_(start.size()) {}

  Buffer buffer() {
    Buffer buffer{x_.data(), count_, dtype_};
    buffer.device = DeviceKind::kCuda;
    buffer.device_index = device_->index();
    buffer.stream = stream_.handle();
    return buffer;
  }
  device::Device& device() { return *device_; }
  device::Stream& stream() { return stream_; }

  /// x += update: enqueued.
  void add(const std::vector<float>& update) { add(update, stream_); }
  void add(const std::vector<float>& update, device::Stream& stream) {
    ASSERT_TRUE(used_.wait(60.0));
    std::memcpy(pinned_.get(), update.data(), count_ * sizeof(float));
    stream.copy(update_.data(), pinned_.get(), count_ * sizeof(float), device::Direction::kToDevice);
    stream.deliver({x_.data(), dtype_}, update_.floats(), count_);
    used_.record(stream);
  }
  /// In the order of the stream, and waited for.
  std::vector<float> values() { return values(stream_); }
  std::vector<float> values(device::Stream& stream) {
    const std::size_t bytes = count_ * size_of(dtype_);
    auto here = device_->allocate_pinned(bytes, "values");
    stream.copy(here.get(), x_.data(), bytes, device::Direction::kToHost);
    device::Event end = device_->make_event();
    end.record(stream);
    EXPECT_TRUE(end.wait(60.0));
    if (dtype_ == DType::kFloat32) {
      const auto* const from = reinterpret_cast<const float*>(here.get());
      return {from, from + count_};
    }
    const auto* const from = reinterpret_cast<const std::uint16_t*>(here.get());
    return widened({from, from + count_});
  }

 private:
  std::shared_ptr<device::Device> device_;
  DType dtype_;
  DeviceArray x_, update_;
  device::Stream stream_;
  device::Event used_;
  device::Bytes pinned_;
  std::size_t count_;
};

}  // namespace duet::test
