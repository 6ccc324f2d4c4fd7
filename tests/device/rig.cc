#include "device/rig.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "duet/error.h"
#include "transport/inproc.h"

namespace duet::test {
namespace {

constexpr double kPatience = 60.0;

/// The in-process transport, saying that it takes device memory, and finding the fake device's.
struct DeviceTransport {
  static duet_memory here(const duet_memory* memory) {
    duet_memory found = *memory;
    if (memory->kind == DUET_MEMORY_CUDA) {
      found.data = fake().alias(memory->data);
      found.kind = DUET_MEMORY_HOST;
    }
    return found;
  }
  static duet_status probe(const duet_setting* settings, std::uint32_t count, duet_probe_result* result) {
    const duet_status status = inner().probe(settings, count, result);
    result->capabilities |= DUET_CAPABILITY_CUDA_MEMORY;
    return status;
  }
  static duet_status post_send(duet_connection* connection, const duet_memory* memory,
                               std::uint64_t operation, std::uint64_t deadline, duet_error* error) {
    const duet_memory found = here(memory);
    return inner().post_send(connection, &found, operation, deadline, error);
  }
  static duet_status post_receive(duet_connection* connection, const duet_memory* memory,
                                  std::uint64_t operation, std::uint64_t deadline, duet_error* error) {
    const duet_memory found = here(memory);
    return inner().post_receive(connection, &found, operation, deadline, error);
  }
  static duet_status probe_only(const duet_setting* settings, std::uint32_t count,
                                duet_probe_result* result) {
    const duet_status status = probe(settings, count, result);
    result->capabilities &= ~static_cast<std::uint64_t>(DUET_CAPABILITY_HOST_MEMORY);
    return status;
  }
  static duet_status send_only(duet_connection* connection, const duet_memory* memory,
                               std::uint64_t operation, std::uint64_t deadline, duet_error* error) {
    if (memory->kind != DUET_MEMORY_CUDA) return DUET_NOT_SUPPORTED;
    return post_send(connection, memory, operation, deadline, error);
  }
  static duet_status receive_only(duet_connection* connection, const duet_memory* memory,
                                  std::uint64_t operation, std::uint64_t deadline, duet_error* error) {
    if (memory->kind != DUET_MEMORY_CUDA) return DUET_NOT_SUPPORTED;
    return post_receive(connection, memory, operation, deadline, error);
  }
  static const duet_transport& inner() { return *transport::inproc_transport(); }
  static const duet_transport* table() {
    static const duet_transport changed = [] {
      duet_transport copy = inner();
      copy.probe = probe;
      copy.post_send = post_send;
      copy.post_receive = post_receive;
      return copy;
    }();
    return &changed;
  }
  static const duet_transport* table_only() {
    static const duet_transport changed = [] {
      duet_transport copy = *table();
      copy.probe = probe_only;
      copy.post_send = send_only;
      copy.post_receive = receive_only;
      return copy;
    }();
    return &changed;
  }
};

/// Waits for everything that was enqueued on a real device, on whatever stream: through the driver, since
/// Duet itself has no use for that.
void synchronize(int index) {
  static void* const driver = dlopen("libcuda.so.1", RTLD_NOW);
  const auto call = [](const char* name, auto... arguments) {
    void* const function = driver == nullptr ? nullptr : dlsym(driver, name);
    if (function == nullptr) throw std::runtime_error(std::string("libcuda.so.1 has no ") + name);
    const int status = reinterpret_cast<int (*)(decltype(arguments)...)>(function)(arguments...);
    if (status != 0) throw std::runtime_error(std::string(name) + " says " + std::to_string(status));
  };
  void* context = nullptr;
  int device = 0;
  call("cuDeviceGet", &device, index);
  call("cuDevicePrimaryCtxRetain", &context, device);
  call("cuCtxPushCurrent_v2", context);
  call("cuCtxSynchronize");
  call("cuCtxPopCurrent_v2", &context);
  call("cuDevicePrimaryCtxRelease_v2", device);
}

}  // namespace

bool on_real_device() {
  const char* named = std::getenv("DUET_TEST_DEVICE");
  return named != nullptr && std::string(named) == "cuda";
}

FakeDevice& fake() {
  // Never destroyed: what the tests leave behind may still refer to it.
  static FakeDevice* const device = [] {
    auto* const made = new FakeDevice(2);
    device::use_backend(DeviceKind::kCuda, made);
    return made;
  }();
  return *device;
}

std::shared_ptr<device::Device> open_device(int index) {
  if (!on_real_device()) fake();
  return device::open(DeviceKind::kCuda, index);
}

const std::string& missing_device() {
  static const std::string reason = []() -> std::string {
    try {
      open_device();
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  }();
  return reason;
}

int devices() {
  int count = 0;
  open_device()->backend().count(&count);
  return count;
}

std::unique_ptr<transport::Context> open_device_context() {
  fake();
  return std::make_unique<transport::Context>(
      std::make_shared<const transport::Transport>(DeviceTransport::table(), "the test"),
      transport::Settings());
}

std::unique_ptr<transport::Context> open_device_only_context(const std::shared_ptr<device::Device>& device) {
  fake();
  return std::make_unique<transport::Context>(
      std::make_shared<const transport::Transport>(DeviceTransport::table_only(), "the test"),
      transport::Settings(), device);
}

void OnDevice::SetUp() {
  if (missing_device().empty()) return;
  // A skip is for machines without one: a broken library must not pass as that.
  if (std::filesystem::exists("/dev/nvidia0")) FAIL() << "there is a GPU, but: " << missing_device();
  GTEST_SKIP() << "no CUDA device: " << missing_device();
}

void OnDevice::TearDown() {
  if (on_real_device()) return;
  EXPECT_EQ(fake().complaints(), std::vector<std::string>());
}

void OnFakeDevice::SetUp() {
  if (on_real_device()) GTEST_SKIP() << "needs the device without hardware";
  OnDevice::SetUp();
}

void DeviceArray::write(const void* from, std::size_t bytes) const {
  put(*device_, memory_.get(), from, bytes);
}

void DeviceArray::put(device::Device& device, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  if (!on_real_device()) {
    fake().drain();
    std::memcpy(fake().alias(to), from, bytes);
    return;
  }
  synchronize(device.index());
  auto pinned = device.allocate_pinned(bytes, "a test");
  std::memcpy(pinned.get(), from, bytes);
  device::Stream stream = device.make_stream();
  stream.copy(to, pinned.get(), bytes, device::Direction::kToDevice);
  device::Event end = device.make_event();
  end.record(stream);
  if (!end.wait(kPatience)) throw std::runtime_error("an upload did not end");
}

void DeviceArray::fetch(device::Device& device, const void* from, void* to, std::size_t bytes) {
  if (!on_real_device()) {
    fake().drain();
    std::memcpy(to, fake().alias(from), bytes);
    return;
  }
  synchronize(device.index());
  auto pinned = device.allocate_pinned(bytes + 1, "a test");
  device::Stream stream = device.make_stream();
  stream.copy(pinned.get(), from, bytes, device::Direction::kToHost);
  device::Event end = device.make_event();
  end.record(stream);
  if (!end.wait(kPatience)) throw std::runtime_error("a download did not end");
  std::memcpy(to, pinned.get(), bytes);
}

std::vector<std::uint16_t> rounded(const std::vector<float>& values) {
  std::vector<std::uint16_t> narrow(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    dynamics::BFloat16::store(values[i], &narrow[i]);
  return narrow;
}

std::vector<float> widened(const std::vector<std::uint16_t>& values) {
  std::vector<float> wide(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    wide[i] = dynamics::BFloat16::load(&values[i]);
  return wide;
}

std::vector<float> normal_values(std::size_t count, unsigned seed, float scale) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values)
    value = scale * normal(random);
  return values;
}

Party::Party(const Shape& shape, Home home, unsigned seed, std::unique_ptr<transport::Context> endpoint)
    : context(std::move(endpoint)) {
  std::vector<Buffer> buffers;
  std::size_t elements = 0;
  if (home != Home::kHost) {
    for (int i = 0; i < devices(); ++i)
      streams.push_back(open_device(i)->make_stream());
  }
  for (std::size_t i = 0; i < shape.counts.size(); ++i) {
    const std::size_t count = shape.counts[i];
    elements += count;
    Buffer buffer;
    buffer.count = count;
    buffer.dtype = shape.parameters;
    if (home == Home::kHost || (home == Home::kBoth && i % 2 == 0)) {
      buffer.data = host.emplace_back(count + 1).data();
    } else {
      buffer.device = DeviceKind::kCuda;
      // Of several buffers every other one on another device, where there are two.
      buffer.device_index = i % 4 == 3 ? devices() - 1 : 0;
      there.push_back(
          std::make_unique<DeviceArray>(open_device(buffer.device_index), std::vector<float>(count)));
      buffer.data = there.back()->data();
      buffer.stream = streams[static_cast<std::size_t>(buffer.device_index)].handle();
    }
    buffers.push_back(buffer);
  }
  replica =
      std::make_unique<exchange::Replica>(buffers, shape.momentum, shape.block_elements * sizeof(float));
  State start{normal_values(elements, seed), normal_values(elements, seed + 1000, 0.1F),
              normal_values(elements, seed + 2000)};
  write(start);
  replica->set_pending();
  staging = make_staging(*replica, shape.wire, shape.depth, context->capabilities(), context->only_device());
}

namespace {

template <class Visit>
void each_array(const exchange::Replica& replica, const Visit& visit) {
  for (std::size_t k = 0; k < replica.block_count(); ++k)
    visit(replica.block(k));
}

void fetch(const exchange::Block& block, const void* from, void* to, std::size_t bytes) {
  if (block.part == nullptr) {
    std::memcpy(to, from, bytes);
  } else {
    DeviceArray::fetch(block.part->device(), from, to, bytes);
  }
}

void put(const exchange::Block& block, void* to, const void* from, std::size_t bytes) {
  if (block.part == nullptr) {
    std::memcpy(to, from, bytes);
    return;
  }
  DeviceArray::put(block.part->device(), to, from, bytes);
}

}  // namespace

void Party::write(const State& state) {
  each_array(*replica, [&](const exchange::Block& block) {
    const std::size_t first = block.offset;
    const std::size_t bytes = block.count * sizeof(float);
    if (block.x.dtype == DType::kFloat32) {
      put(block, block.x.data, state.x.data() + first, bytes);
    } else {
      const auto narrow = rounded({state.x.begin() + static_cast<long>(first),
                                   state.x.begin() + static_cast<long>(first + block.count)});
      put(block, block.x.data, narrow.data(), bytes / 2);
    }
    put(block, block.d, state.d.data() + first, bytes);
    if (block.z != nullptr) put(block, block.z, state.z.data() + first, bytes);
  });
}

Party::State Party::state() const {
  State state;
  const std::size_t elements = replica->elements();
  state.x.resize(elements);
  state.d.resize(elements);
  state.z.resize(elements);
  each_array(*replica, [&](const exchange::Block& block) {
    const std::size_t first = block.offset;
    const std::size_t bytes = block.count * sizeof(float);
    if (block.x.dtype == DType::kFloat32) {
      fetch(block, block.x.data, state.x.data() + first, bytes);
    } else {
      std::vector<std::uint16_t> narrow(block.count);
      fetch(block, block.x.data, narrow.data(), bytes / 2);
      const auto wide = widened(narrow);
      std::copy(wide.begin(), wide.end(), state.x.begin() + static_cast<long>(first));
    }
    fetch(block, block.d, state.d.data() + first, bytes);
    if (block.z != nullptr) fetch(block, block.z, state.z.data() + first, bytes);
  });
  return state;
}

std::vector<double> Party::invariant() const {
  const State now = state();
  std::vector<double> sum(now.x.size());
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] = double{now.x[i]} + double{now.d[i]} + 0.5 * double{now.z[i]};
  return sum;
}

}  // namespace duet::test
