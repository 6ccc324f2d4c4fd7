// Whole workers with buffers on devices.
#include <duet/duet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <random>
#include <thread>

#include "device/device_model.h"
#include "device/rig.h"
#include "unit/worker/worker_run.h"

namespace duet::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class WorkerOnDevice : public OnDevice {};

struct Run {
  const char* algorithm;
  DType wire;
  DType parameters;
  bool mixed;  ///< rank 1 trains in host memory
};

void expect_final_average(const Run& run) {
  constexpr int kWorkers = 3;
  constexpr std::size_t kSize = 1237;
  const int steps = count(60, 600);
  Options options = threads_options();
  options.algorithm = run.algorithm;
  options.wire = run.wire;
  options.block_bytes = 1000;
  std::vector<std::vector<double>> updates(kWorkers, std::vector<double>(kSize, 0.0));
  std::vector<std::vector<float>> ends(kWorkers);
  std::vector<std::uint64_t> meetings(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    const auto self = static_cast<std::size_t>(mine.rank);
    std::vector<float> start(kSize);
    std::iota(start.begin(), start.end(), static_cast<float>(mine.rank) * 100.0F);
    for (float& value : start)
      value /= 64.0F;
    std::vector<float> host = start;
    const bool on_host = run.mixed && mine.rank == 1;
    std::unique_ptr<DeviceModel> model;
    if (!on_host) model = std::make_unique<DeviceModel>(start, run.parameters);
    Worker worker(mine, {on_host ? Buffer{host.data(), kSize} : model->buffer()});
    const auto begun = on_host ? host : model->values();
    EXPECT_EQ(begun[64], 1.0F) << "rank 0's, also when read at once";
    std::mt19937 random(static_cast<unsigned>(mine.rank));
    std::normal_distribution<float> normal;
    for (int step = 0; step < steps; ++step) {
      std::vector<float> update(kSize);
      for (std::size_t i = 0; i < kSize; ++i) {
        update[i] = normal(random);
        updates[self][i] += double{update[i]};
      }
      worker.step([&] {
        if (!on_host) {
          model->add(update);
          return;
        }
        for (std::size_t i = 0; i < kSize; ++i)
          host[i] += update[i];
      });
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    const auto result = worker.finish();
    EXPECT_EQ(result.members.size(), static_cast<std::size_t>(kWorkers));
    EXPECT_GT(result.consensus_distance, 0.0);
    meetings[self] = worker.statistics().meetings;
    ends[self] = on_host ? host : model->values();
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  for (const auto held : meetings)
    EXPECT_GE(held, 1U);
  for (std::size_t i = 0; i < kSize; ++i) {
    double expected = static_cast<double>(i) / 64.0;
    for (const auto& update : updates)
      expected += update[i] / kWorkers;
    ASSERT_NEAR(ends[0][i], expected, 4e-6 * steps + 2e-3) << "element " << i;
    for (const auto& end : ends)
      ASSERT_EQ(end[i], ends[0][i]) << "all workers end with the same bits";
  }
}

TEST_F(WorkerOnDevice, EndsWithTheStartPlusTheMeanOfAllUpdates) {
  expect_final_average({"a2cid2", DType::kFloat32, DType::kFloat32, false});
}
TEST_F(WorkerOnDevice, TrainsBesideWorkersInHostMemory) {
  expect_final_average({"a2cid2", DType::kFloat32, DType::kFloat32, true});
}
TEST_F(WorkerOnDevice, HalvesTheBytesOnTheWire) {
  expect_final_average({"adpsgd", DType::kBFloat16, DType::kFloat32, true});
}

TEST_F(WorkerOnDevice, TrainsBFloat16Parameters) {
  Options options = threads_options();
  std::vector<std::vector<float>> ends(2);
  const auto errors = run_workers(2, options, [&](const Options& mine) {
    DeviceModel model(std::vector<float>(500, 1.0F + static_cast<float>(mine.rank)), DType::kBFloat16);
    Worker worker(mine, {model.buffer()});
    EXPECT_EQ(model.values(), std::vector<float>(500, 1.0F));
    for (int step = 0; step < 40; ++step) {
      worker.step([&] { model.add(std::vector<float>(500, mine.rank == 0 ? 0.25F : -0.125F)); });
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    worker.finish();
    ends[static_cast<std::size_t>(mine.rank)] = model.values();
  });
  EXPECT_EQ(errors, std::vector<std::string>(2));
  EXPECT_EQ(ends[0], ends[1]);
  // bf16 rounds every update of the trainers'; the average does not add to that.
  EXPECT_NEAR(ends[0][0], 1.0 + 40 * 0.0625, 0.2);
}

TEST_F(WorkerOnDevice, AllReduceKeepsEveryoneEqual) {
  Options options = threads_options();
  options.algorithm = "allreduce";
  options.sample_goal = 3 * 10;
  const auto errors = run_workers(3, options, [&](const Options& mine) {
    DeviceModel model(std::vector<float>(300, 1.0F));
    Worker worker(mine, {model.buffer()});
    while (!worker.done()) {
      worker.step([&] { model.add(std::vector<float>(300, static_cast<float>(mine.rank))); });
      const auto step = static_cast<float>(worker.statistics().steps);
      ASSERT_FLOAT_EQ(model.values()[7], 1.0F + step) << "read in the order of the trainer's stream";
    }
    EXPECT_EQ(worker.statistics().steps, 10U);
    worker.finish();
  });
  EXPECT_EQ(errors, std::vector<std::string>(3));
}

TEST_F(WorkerOnDevice, AveragesStatisticsPlainly) {
  Options options = threads_options();
  std::vector<std::vector<float>> ends(2);
  const auto errors = run_workers(2, options, [&](const Options& mine) {
    DeviceModel model(std::vector<float>(64, 0.0F));
    const DeviceArray statistics(open_device(), std::vector<float>(10));
    Buffer second{statistics.data(), 10, DType::kFloat32, "statistics"};
    second.role = BufferRole::kStatistics;
    second.every = 1;
    second.device = DeviceKind::kCuda;
    second.stream = model.stream().handle();
    Worker worker(mine, {model.buffer(), second});
    worker.edit([&] {
      auto pinned = model.device().allocate_pinned(40, "statistics");
      std::fill_n(reinterpret_cast<float*>(pinned.get()), 10, mine.rank == 0 ? 2.0F : 8.0F);
      model.stream().copy(statistics.data(), pinned.get(), 40, device::Direction::kToDevice);
      device::Event end = model.device().make_event();
      end.record(model.stream());
      EXPECT_TRUE(end.wait(60.0));
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (worker.statistics().meetings < 2 && std::chrono::steady_clock::now() < deadline) {
      worker.step([] {});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    worker.finish();
    ends[static_cast<std::size_t>(mine.rank)] = statistics.read<float>(10);
  });
  EXPECT_EQ(errors, std::vector<std::string>(2));
  EXPECT_EQ(ends[0], std::vector<float>(10, 5.0F));
  EXPECT_EQ(ends[1], ends[0]);
}

TEST_F(WorkerOnDevice, KnowsTheRunsConsensusDistanceAndSketchesAsTheHostDoes) {
  constexpr int kWorkers = 3;
  Options options = threads_options();
  options.telemetry_interval = 0.1;
  options.rate = 0.02;
  std::vector<double> estimates(kWorkers);
  const auto errors = run_workers(kWorkers, options, [&](const Options& mine) {
    DeviceModel model(std::vector<float>(20000, 0.0F));
    Worker worker(mine, {model.buffer()});
    const auto update = normal_values(20000, static_cast<unsigned>(mine.rank));
    worker.step([&] { model.add(update); });
    const auto sketch = worker.sketch();
    const double norm = std::sqrt(std::inner_product(sketch.begin(), sketch.end(), sketch.begin(), 0.0));
    EXPECT_NEAR(norm, std::sqrt(20000.0), 0.25 * std::sqrt(20000.0));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (worker.status().steps < kWorkers && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    estimates[static_cast<std::size_t>(mine.rank)] = worker.status().consensus_distance;
    worker.finish();
  });
  EXPECT_EQ(errors, std::vector<std::string>(kWorkers));
  const double independent = std::sqrt(20000 * (1.0 - 1.0 / kWorkers));
  for (const double estimate : estimates) {
    EXPECT_LT(estimate, 1.2 * independent);
    EXPECT_GT(estimate, 0.3 * independent);
  }
}

TEST_F(WorkerOnDevice, FollowsItsTrainerToAnotherStream) {
  Options options;
  DeviceModel model(std::vector<float>(100, 1.0F));
  Worker worker(options, {model.buffer()});
  device::Stream other = model.device().make_stream();
  for (int i = 0; i < 50; ++i) {
    worker.step([&] { model.add(std::vector<float>(100, 1.0F)); });
    worker.set_stream(0, other.handle());
    worker.step([&] { model.add(std::vector<float>(100, 1.0F), other); });
    worker.set_stream(0, model.stream().handle());
  }
  EXPECT_EQ(model.values(), std::vector<float>(100, 101.0F));
  EXPECT_THROW(worker.set_stream(1, nullptr), ConfigurationError);
}

std::string refusal(const Buffer& buffer) {
  try {
    Worker worker(Options(), {buffer});
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "accepted";
}

TEST_F(WorkerOnDevice, SaysWhatIsWrongWithABuffer) {
  DeviceModel model(std::vector<float>(100, 1.0F));
  Buffer buffer = model.buffer();
  EXPECT_EQ(refusal(buffer), "accepted");
  std::vector<float> host(100);
  buffer.data = host.data();
  buffer.name = "layer1.weight";
  EXPECT_THAT(refusal(buffer), AllOf(HasSubstr("layer1.weight"), HasSubstr("not in the memory of cuda:0")));
  buffer = model.buffer();
  buffer.device_index = 99;
  EXPECT_THAT(refusal(buffer), AllOf(HasSubstr("cuda:99"), HasSubstr("sees")));
  const DeviceArray more(open_device(), std::vector<float>(10));
  Buffer elsewhere{more.data(), 10, DType::kFloat32, "second"};
  elsewhere.device = DeviceKind::kCuda;
  try {
    Worker worker(Options(), {model.buffer(), elsewhere});
    ADD_FAILURE() << "two streams for one device";
  } catch (const ConfigurationError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("second"), HasSubstr("another stream")));
  }
}

class WorkerOnFakeDevice : public OnFakeDevice {};

TEST_F(WorkerOnFakeDevice, SaysWhatThereWasNoMemoryFor) {
  DeviceModel model(std::vector<float>(100, 1.0F));
  fake().run_out_of_memory(true);
  const std::string said = refusal(model.buffer());
  fake().run_out_of_memory(false);
  EXPECT_THAT(said,
              AllOf(HasSubstr("cuda:0"), HasSubstr("pending correction d"), HasSubstr("out of memory")));
}

TEST_F(WorkerOnFakeDevice, EndsWhenItsDeviceBreaksDown) {
  // A device of this test's own: it stays broken.
  fake();
  static auto* const device = new FakeDevice(1);
  device::use_backend(DeviceKind::kCuda, device);
  void* x = nullptr;
  ASSERT_TRUE(device->allocate(0, 400, &x));
  Buffer buffer{x, 100};
  buffer.device = DeviceKind::kCuda;
  std::string said;
  {
    Worker worker(Options(), {buffer});
    worker.step([] {});
    device->break_down("an illegal memory access");
    try {
      worker.step([] {});
    } catch (const DeviceError& error) {
      said = error.what();
    }
    EXPECT_THROW(worker.step([] {}), DeviceError) << "the gate is free";
  }
  device::use_backend(DeviceKind::kCuda, &fake());
  EXPECT_THAT(said, AllOf(HasSubstr("cuda:0"), HasSubstr("an illegal memory access")));
}

/// One whose device breaks in the middle of a run leaves it; the others go on.
TEST_F(WorkerOnFakeDevice, LeavesTheOthersToThemselvesWhenItsDeviceBreaksDown) {
  static auto* const device = new FakeDevice(1);
  device::use_backend(DeviceKind::kCuda, device);
  Options options = threads_options();
  options.gone_after = 2.0;
  options.finish_timeout = 10.0;
  options.average_timeout = 5.0;
  const auto errors = run_workers(3, options, [&](const Options& mine) {
    std::vector<float> host(100, 1.0F);
    Buffer buffer{host.data(), 100};
    if (mine.rank == 2) {
      void* x = nullptr;
      ASSERT_TRUE(device->allocate(0, 400, &x));
      buffer.data = x;
      buffer.device = DeviceKind::kCuda;
    }
    Worker worker(mine, {buffer});
    for (int step = 0; step < 50; ++step) {
      if (mine.rank == 2 && step == 25) device->break_down("an illegal memory access");
      worker.step([] {});
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    const auto result = worker.finish();
    EXPECT_EQ(result.lost, std::vector<int>{2});
    EXPECT_EQ(result.exit_code, 3);
  });
  device::use_backend(DeviceKind::kCuda, &fake());
  EXPECT_EQ(errors[0], "");
  EXPECT_EQ(errors[1], "");
  EXPECT_THAT(errors[2], HasSubstr("an illegal memory access"));
}

}  // namespace
}  // namespace duet::test
