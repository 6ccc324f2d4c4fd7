// Devices that fail, hang, have no memory left, or are far behind their trainer.
#include <duet/duet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "device/rig.h"
#include "duet/error.h"
#include "unit/worker/worker_run.h"

namespace duet::test {
namespace {

using ::testing::HasSubstr;

Buffer on_device(void* x, std::size_t count, void* stream = nullptr) {
  Buffer buffer{x, count};
  buffer.device = DeviceKind::kCuda;
  buffer.stream = stream;
  return buffer;
}

class DeviceTrouble : public OnFakeDevice {};

/// Met by the communication thread between two blocks, when leaving the gate fails as well.
TEST_F(DeviceTrouble, BehindTheGateIsOneExceptionAndTheGateIsFree) {
  fake();
  static auto* const device = new FakeDevice(1);  // it stays broken
  device::use_backend(DeviceKind::kCuda, device);
  void* x = nullptr;
  ASSERT_TRUE(device->allocate(0, 4000, &x));
  {
    exchange::Replica replica({on_device(x, 1000)}, true, 400);
    const auto mix = [&](std::size_t k) {
      const exchange::Block& block = replica.block(k);
      block.part->passes().mix(block.d, block.z, block.count, 0.1F);
    };
    ASSERT_TRUE(replica.in_communication_turn(0.0, [&] { mix(0); }));
    std::string said;
    try {
      replica.in_communication_turn(0.0, [&] {
        replica.block(1).part->passes();
        device->break_down("an illegal memory access");
        mix(1);
      });
    } catch (const DeviceError& error) {
      said = error.what();
    }
    EXPECT_THAT(said, HasSubstr("mixing a block failed: an illegal memory access"));
    ASSERT_TRUE(replica.gate().enter_communication(0.0));
    replica.gate().leave_communication();
  }
  device::use_backend(DeviceKind::kCuda, &fake());
}

/// A device that hangs may write at any time later: its memory must not be anybody else's by then, and to
/// free it would wait for ever.
TEST_F(DeviceTrouble, MemoryOfOneThatHangsIsNotFreed) {
  const auto others = open_device();  // whoever else works with it
  void* x = nullptr;
  void* stream = nullptr;
  ASSERT_TRUE(fake().allocate(0, 4000, &x));
  ASSERT_TRUE(fake().make_stream(0, &stream));
  std::size_t held = 0;
  {
    exchange::Replica replica({on_device(x, 1000, stream)}, true, 400);
    const auto staging = std::make_shared<exchange::Staging>(replica, DType::kFloat32, 2, 0);
    fake().hold(stream);
    replica.enter_trainer();
    replica.set_pending();
    replica.deliver();
    replica.leave_trainer();
    held = fake().allocations();
  }
  EXPECT_EQ(fake().allocations(), held);
  EXPECT_TRUE(others->given_up());
  fake().release(stream);
  fake().drain();
  EXPECT_EQ(fake().complaints(), std::vector<std::string>()) << "the delivery found its memory";
}

TEST_F(DeviceTrouble, WithoutMemoryForASpareBlockTheOthersAreWaitedFor) {
  const auto device = open_device();
  const DeviceArray x(device, std::vector<float>(1000, 1.0F));
  exchange::Replica replica({on_device(x.data(), 1000)}, true, 400);
  const auto staging = std::make_shared<exchange::Staging>(replica, DType::kFloat32, 2, 0);
  std::vector<exchange::Slot*> taken;
  exchange::Slot* first = nullptr;
  exchange::Slot* second = nullptr;
  while (taken.size() < 4) {
    ASSERT_TRUE(staging->take(first, second));
    taken.insert(taken.end(), {first, second});
  }
  fake().run_out_of_memory(true);
  EXPECT_FALSE(staging->take(first, second));
  staging->give_back(*taken[0]);
  staging->give_back(*taken[1]);
  EXPECT_TRUE(staging->take(first, second));
  fake().run_out_of_memory(false);
  taken[0] = first;
  taken[1] = second;
  for (exchange::Slot* slot : taken)
    staging->give_back(*slot);
}

/// The host enqueues one step ahead of a device whose steps take longer than the ticks are apart.
TEST_F(DeviceTrouble, OneThatIsBehindStillHasItsConsensusDistanceKnown) {
  constexpr auto kStep = std::chrono::milliseconds(100);
  fake();
  Options options = threads_options();
  options.telemetry_interval = 0.05;
  std::array<RunStatus, 2> status;
  const auto errors = run_workers(2, options, [&](const Options& mine) {
    void* x = nullptr;
    void* stream = nullptr;
    ASSERT_TRUE(fake().allocate(0, 4000, &x));
    ASSERT_TRUE(fake().make_stream(0, &stream));
    {
      Worker worker(mine, {on_device(x, 1000, stream)});
      void* running = nullptr;  // what the device works on; a held stream's event ends it
      for (int step = 0; step < 60 && worker.status().tick == 0; ++step) {
        void* work = nullptr;
        void* end = nullptr;
        ASSERT_TRUE(fake().make_stream(0, &work));
        ASSERT_TRUE(fake().make_event(0, &end));
        fake().hold(work);
        ASSERT_TRUE(fake().record(0, end, work));
        worker.step([&] { ASSERT_TRUE(fake().wait(0, stream, end)); });
        std::this_thread::sleep_for(kStep);
        if (running != nullptr) fake().release(running);
        running = work;
      }
      fake().release(running);
      status[static_cast<std::size_t>(mine.rank)] = worker.status();
      worker.finish();
    }
    fake().deallocate(0, x);
  });
  for (const std::string& error : errors)
    EXPECT_EQ(error, "");
  for (const RunStatus& known : status)
    EXPECT_EQ(known.members, 2) << "at tick " << known.tick;
}

}  // namespace
}  // namespace duet::test
