// The device without hardware is what the other tests rest on: that it is asynchronous, and that nothing but
// events orders it.
#include "device/fake_device.h"

#include <gtest/gtest.h>

#include <cstring>

#include "device/rig.h"

namespace duet::test {
namespace {

class FakeDeviceTest : public OnFakeDevice {
 protected:
  device::Bytes pinned(float value) {
    auto memory = device_->allocate_pinned(sizeof(float), "a test");
    std::memcpy(memory.get(), &value, sizeof value);
    return memory;
  }
  static float value(const device::Bytes& memory) {
    float found = 0.0F;
    std::memcpy(&found, memory.get(), sizeof found);
    return found;
  }
  std::shared_ptr<device::Device> device_ = open_device();
};

TEST_F(FakeDeviceTest, ExecutesNothingBeforeItsTurn) {
  device::Stream stream = device_->make_stream();
  const DeviceArray there(device_, std::vector<float>{1.0F});
  const auto from = pinned(2.0F), to = pinned(0.0F);
  fake().hold(stream.handle());
  stream.copy(there.data(), from.get(), sizeof(float), device::Direction::kToDevice);
  stream.copy(to.get(), there.data(), sizeof(float), device::Direction::kToHost);
  device::Event end = device_->make_event();
  EXPECT_TRUE(end.done()) << "never recorded";
  end.record(stream);
  EXPECT_FALSE(end.done());
  EXPECT_FALSE(end.wait(0.01));
  EXPECT_EQ(value(to), 0.0F);
  fake().release(stream.handle());
  EXPECT_TRUE(end.wait(10.0));
  EXPECT_EQ(value(to), 2.0F);
}

TEST_F(FakeDeviceTest, OrdersStreamsByTheEventsAsTheyWereWhenTheWaitWasEnqueued) {
  device::Stream one = device_->make_stream();
  device::Stream other = device_->make_stream();
  device::Event event = device_->make_event();
  device::Event first = device_->make_event(), second = device_->make_event();
  fake().hold(one.handle());
  event.record(one);
  other.wait(event);
  first.record(other);
  EXPECT_FALSE(first.wait(0.02)) << "what it waits for has not happened";
  fake().release(one.handle());
  EXPECT_TRUE(first.wait(10.0));

  other.wait(event);  // the one that has happened …
  fake().hold(one.handle());
  event.record(one);  // … not this
  second.record(other);
  EXPECT_TRUE(second.wait(10.0));
  EXPECT_FALSE(event.done());
  fake().release(one.handle());
  EXPECT_TRUE(event.wait(10.0));
}

TEST_F(FakeDeviceTest, OrdersNothingWithoutEvents) {
  device::Stream one = device_->make_stream();
  device::Stream other = device_->make_stream();
  device::Event event = device_->make_event();
  fake().hold(one.handle());
  event.record(other);
  EXPECT_TRUE(event.wait(10.0));
  fake().release(one.handle());
}

TEST(FakeDeviceDeathTest, LetsNoHostCodeTouchItsMemory) {
  if (on_real_device()) GTEST_SKIP() << "needs the device without hardware";
  auto device = open_device();
  const DeviceArray there(device, std::vector<float>{1.0F});
  EXPECT_EQ(fake().owner(there.data()), 0);
  EXPECT_DEATH(*static_cast<volatile float*>(there.data()) = 2.0F, "");
}

}  // namespace
}  // namespace duet::test
