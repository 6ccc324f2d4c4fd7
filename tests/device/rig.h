#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "device/backend.h"
#include "device/device.h"
#include "device/fake_device.h"
#include "device/registry.h"
#include "dynamics/expressions.h"
#include "exchange/meeting.h"
#include "exchange/replica.h"
#include "exchange/staging.h"
#include "transport/transport.h"
#include "unit/exchange/endpoints.h"

/// The device that these tests run on: the one without hardware, or with DUET_TEST_DEVICE=cuda a real one.
namespace duet::test {

bool on_real_device();
/// Why there is no device to test on; empty: there is one.
const std::string& missing_device();
/// Of the device without hardware.
FakeDevice& fake();
/// Device 0 of it, or of a real one.
std::shared_ptr<device::Device> open_device(int index = 0);
int devices();
/// A context of the in-process transport, or of one that takes the fake device's memory and moves it within.
std::unique_ptr<transport::Context> open_device_context();
/// The same of a transport that moves nothing but that.
std::unique_ptr<transport::Context> open_device_only_context(
    const std::shared_ptr<device::Device>& device = open_device());

/// Skips, with its reason, where there is no device, and looks for complaints afterwards.
class OnDevice : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
};
/// For what only a device without hardware can be made to do.
class OnFakeDevice : public OnDevice {
 protected:
  void SetUp() override;
};

/// Elements in device memory.
class DeviceArray {
 public:
  DeviceArray(std::shared_ptr<device::Device> device, std::size_t bytes)
      : device_(std::move(device)), bytes_(bytes), memory_(device_->allocate(bytes + 1, "a test")) {}
  template <class T>
  DeviceArray(std::shared_ptr<device::Device> device, const std::vector<T>& values)
      : DeviceArray(std::move(device), values.size() * sizeof(T)) {
    write(values.data(), bytes_);
  }

  void* data() const { return memory_.get(); }
  float* floats() const { return reinterpret_cast<float*>(memory_.get()); }
  void write(const void* from, std::size_t bytes) const;
  template <class T>
  std::vector<T> read(std::size_t count) const {
    std::vector<T> values(count);
    fetch(*device_, memory_.get(), values.data(), count * sizeof(T));
    return values;
  }
  /// From anywhere in a device's memory, when everything enqueued so far on any stream has happened.
  static void put(device::Device& device, void* to, const void* from, std::size_t bytes);
  static void fetch(device::Device& device, const void* from, void* to, std::size_t bytes);

 private:
  std::shared_ptr<device::Device> device_;
  std::size_t bytes_;
  device::Bytes memory_;
};

/// bf16, and back.
std::vector<std::uint16_t> rounded(const std::vector<float>& values);
std::vector<float> widened(const std::vector<std::uint16_t>& values);
std::vector<float> normal_values(std::size_t count, unsigned seed, float scale = 1.0F);

/// Where a test's worker keeps its parameters.
enum class Home : std::uint8_t { kHost, kDevice, kBoth };

/// One worker without the worker: parameters somewhere, their replica, staging and an endpoint.
struct Party {
  struct Shape {
    std::vector<std::size_t> counts;
    bool momentum = true;
    std::size_t block_elements = 128;
    int depth = 4;
    DType wire = DType::kFloat32;
    DType parameters = DType::kFloat32;
  };
  Party(const Shape& shape, Home home, unsigned seed, std::unique_ptr<transport::Context> endpoint);

  /// All of x, d and z, in float32, once nothing is under way.
  struct State {
    std::vector<float> x, d, z;
    bool operator==(const State&) const = default;
  };
  State state() const;
  std::vector<double> invariant() const;
  void write(const State& state);

  std::vector<std::vector<float>> host;  // as float32, or two bf16 in each
  std::vector<std::unique_ptr<DeviceArray>> there;
  std::vector<device::Stream> streams;  // the trainer's, by device
  std::unique_ptr<exchange::Replica> replica;
  std::unique_ptr<transport::Context> context;
  std::shared_ptr<exchange::Staging> staging;
};

}  // namespace duet::test
