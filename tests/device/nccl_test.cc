// Whole workers over the NCCL plugin: on the device without hardware and fake libraries of NCCL and the CUDA
// driver, or with DUET_TEST_DEVICE=cuda on real ones.
#include <dlfcn.h>
#include <duet/duet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <random>
#include <thread>

#include "device/device_model.h"
#include "device/rig.h"
#include "support/fake_nccl/script.h"
#include "transport/interface.h"
#include "unit/worker/worker_run.h"

namespace duet::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The fake is loaded rather than linked: a real NCCL must not find its symbols in the program.
template <class Function>
Function* fake_function(const char* name) {
  static void* const library = dlopen(DUET_FAKE_NCCL, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  return reinterpret_cast<Function*>(dlsym(library, name));
}
std::int64_t counted(const char* name) {
  return fake_function<decltype(fake_nccl_count)>("fake_nccl_count")(name);
}

class WorkersOverNccl : public OnDevice {
 protected:
  void SetUp() override {
    OnDevice::SetUp();
    if (IsSkipped()) return;
    if (!on_real_device()) {
      fake_function<decltype(fake_nccl_reset)>("fake_nccl_reset")();
      fake().watch([map = fake_function<decltype(fake_nccl_map)>("fake_nccl_map")](
                       void* memory, std::size_t bytes, void* alias) { map(memory, bytes, alias); });
      settings_ = "library=" DUET_FAKE_NCCL ",cuda_library=" DUET_FAKE_NCCL;
      return;
    }
    const char* library = std::getenv("DUET_NCCL_LIBRARY");
    if (library != nullptr) settings_ = std::string("library=") + library;
    try {
      const transport::Context viable(transport::load_transport(DUET_NCCL_PLUGIN, {}),
                                      transport::parse_choice("nccl", settings_).settings, open_device());
    } catch (const Error& error) {
      GTEST_SKIP() << "no NCCL: " << error.what();
    }
  }
  void TearDown() override {
    OnDevice::TearDown();
    if (on_real_device() || IsSkipped()) return;
    // Aborts run in threads of their own.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (counted("communicators") + counted("contexts") > 0 && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(counted("communicators"), 0);
    EXPECT_EQ(counted("contexts"), 0);
    EXPECT_EQ(counted("misuses"), 0) << "NCCL or CUDA was called in a way that it refuses";
    EXPECT_EQ(counted("mismatches"), 0) << "something was launched whose counterpart was another";
    fake().watch(nullptr);
  }

  Options options(const std::string& more = {}) const {
    Options options = threads_options();
    options.transport = DUET_NCCL_PLUGIN;
    options.transport_settings = settings_;
    if (!more.empty()) options.transport_settings += (settings_.empty() ? "" : ",") + more;
    options.block_bytes = 1000;
    return options;
  }
  struct Run {
    int workers = 2;
    int steps = 40;
    bool half_on_host = false;  ///< of each worker's parameters
  };
  /// Start, meetings or steps, and the final average, which is checked.
  void expect_final_average(const Options& options, const Run& run);

  std::string settings_;
};

void WorkersOverNccl::expect_final_average(const Options& options, const Run& run) {
  constexpr std::size_t kSize = 1237;
  const bool synchronous = options.algorithm == "allreduce";
  std::vector<std::vector<double>> updates(static_cast<std::size_t>(run.workers),
                                           std::vector<double>(kSize, 0.0));
  std::vector<std::vector<float>> ends(static_cast<std::size_t>(run.workers));
  const auto errors = run_workers(run.workers, options, [&](const Options& mine) {
    const auto self = static_cast<std::size_t>(mine.rank);
    std::vector<float> start(kSize);
    std::iota(start.begin(), start.end(), static_cast<float>(mine.rank) * 100.0F);
    DeviceModel model(start, DType::kFloat32, mine.rank % devices());
    std::vector<float> host(kSize, static_cast<float>(mine.rank + 5));
    std::vector<Buffer> buffers = {model.buffer()};
    if (run.half_on_host) buffers.push_back({host.data(), kSize});
    Worker worker(mine, buffers);
    EXPECT_EQ(model.values()[64], 64.0F) << "rank 0's";
    if (run.half_on_host) {
      EXPECT_EQ(host[7], 5.0F) << "rank 0's";
    }
    std::mt19937 random(static_cast<unsigned>(mine.rank));
    std::normal_distribution<float> normal;
    // Those who meet do not leave before they have met.
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    const auto goes_on = [&](int step) {
      if (synchronous) return !worker.done();
      return step < run.steps ||
             (worker.statistics().meetings == 0 && std::chrono::steady_clock::now() < patience);
    };
    for (int step = 0; goes_on(step); ++step) {
      std::vector<float> update(kSize);
      for (std::size_t i = 0; i < kSize; ++i) {
        update[i] = normal(random);
        updates[self][i] += double{update[i]};
      }
      worker.step([&] {
        model.add(update);
        if (run.half_on_host) host[7] += static_cast<float>(mine.rank);
      });
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    const auto result = worker.finish();
    EXPECT_EQ(result.members.size(), static_cast<std::size_t>(run.workers));
    if (!synchronous) {
      EXPECT_GE(worker.statistics().meetings, 1U);
    }
    // On a busy machine one side may give up what the other has just agreed to: no error of the transport's.
    for (const auto& edge : worker.statistics().edges)
      EXPECT_LE(edge.failures, 1 + edge.meetings / 10) << "with rank " << edge.peer;
    ends[self] = model.values();
    if (run.half_on_host) ends[self].insert(ends[self].end(), host.begin(), host.end());
  });
  for (const auto& error : errors)
    EXPECT_EQ(error, "");
  for (std::size_t i = 0; i < kSize; ++i) {
    double expected = static_cast<double>(i);
    for (const auto& update : updates)
      expected += update[i] / run.workers;
    ASSERT_NEAR(ends[0][i], expected, 0.02) << "element " << i;
  }
  for (const auto& end : ends)
    ASSERT_EQ(end, ends[0]) << "all workers end with the same bits";
}

TEST_F(WorkersOverNccl, MeetOnTwoDevices) {
  expect_final_average(options(), {});
  if (!on_real_device()) {
    EXPECT_GT(counted("groups"), 0);
  }
}

TEST_F(WorkersOverNccl, MeetOnOneDeviceAndBetweenTwo) {
  Run run;
  run.workers = 3;
  expect_final_average(options(), run);
}

TEST_F(WorkersOverNccl, HalveTheBytesOnTheWire) {
  Options halved = options();
  halved.algorithm = "adpsgd";
  halved.wire = DType::kBFloat16;
  expect_final_average(halved, {});
}

TEST_F(WorkersOverNccl, StepTogether) {
  Options together = options();
  together.algorithm = "allreduce";
  together.sample_goal = 2 * 10;
  expect_final_average(together, {});
}

/// Blocks then pass through the host, whose checksums cover them.
TEST_F(WorkersOverNccl, MeetWithChecksums) {
  expect_final_average(options("integrity=no"), {});
}

TEST_F(WorkersOverNccl, BringAlongWhatIsInHostMemory) {
  Run run;
  run.half_on_host = true;
  expect_final_average(options(), run);
}

/// The settings name a device where no parameters are: everything passes through its memory.
TEST_F(WorkersOverNccl, MeetThroughAnotherDevice) {
  if (devices() < 2) GTEST_SKIP() << "needs two devices";
  const std::vector<float> start(500, 1.0F);
  const auto errors = run_workers(2, options(), [&](const Options& mine) {
    Options elsewhere = mine;
    elsewhere.transport_settings += std::string(",device=") + (mine.rank == 0 ? "1" : "0");
    DeviceModel model(start, DType::kFloat32, mine.rank);
    Worker worker(elsewhere, {model.buffer()});
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (worker.statistics().meetings == 0 && std::chrono::steady_clock::now() < patience) {
      worker.step([&] { model.add(std::vector<float>(500, mine.rank == 0 ? 0.0F : 2.0F)); });
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_GE(worker.statistics().meetings, 1U);
    worker.finish();
  });
  EXPECT_EQ(errors, std::vector<std::string>(2));
}

std::string refusal(const Options& options, const std::vector<Buffer>& buffers) {
  Options mine = options;
  mine.rank = 0;
  mine.world_size = 2;
  mine.join_timeout = mine.seed_timeout = 1.0;
  try {
    const Worker worker(mine, buffers);
    return "nothing was refused";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST_F(WorkersOverNccl, RefuseParametersInHostMemory) {
  std::vector<float> host(100);
  EXPECT_THAT(refusal(options(), {Buffer{host.data(), 100}}),
              AllOf(HasSubstr("nccl"), HasSubstr("moves CUDA memory only"), HasSubstr("Buffer::device"),
                    HasSubstr("another transport")));
}

TEST_F(WorkersOverNccl, RefuseSettingsThatTheyCannotUse) {
  DeviceModel model(std::vector<float>(100, 1.0F));
  EXPECT_THAT(refusal(options("colour=blue"), {model.buffer()}),
              AllOf(HasSubstr("colour"), HasSubstr("unknown"), HasSubstr("communicators")));
  EXPECT_THAT(refusal(options("device=first"), {model.buffer()}),
              AllOf(HasSubstr("device = \"first\""), HasSubstr("whole number")));
  EXPECT_THAT(refusal(options("device=77"), {model.buffer()}), HasSubstr("77"));
  EXPECT_THAT(refusal(options("interface=no-such"), {model.buffer()}),
              AllOf(HasSubstr("no-such"), HasSubstr("there are: ")));
  EXPECT_THAT(refusal(options("integrity=perhaps"), {model.buffer()}), HasSubstr("want yes or no"));
}

/// The network fails under a group: the meeting is broken off, its communicator is aborted, and the next
/// meeting opens another.
TEST_F(WorkersOverNccl, MeetAgainAfterANetworkFailure) {
  if (on_real_device()) GTEST_SKIP() << "needs the fake NCCL";
  const auto set = fake_function<decltype(fake_nccl_set)>("fake_nccl_set");
  Options mended = options();
  mended.meeting_timeout = 2.0;
  std::atomic<int> failed{0};
  const auto errors = run_workers(2, mended, [&](const Options& mine) {
    DeviceModel model(std::vector<float>(500, 1.0F), DType::kFloat32, mine.rank);
    Worker worker(mine, {model.buffer()});
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(90);
    const auto edge = [&] {
      const auto edges = worker.statistics().edges;
      return edges.empty() ? EdgeStatistics() : edges[0];
    };
    const auto train_until = [&](const std::function<bool()>& done) {
      while (!done() && std::chrono::steady_clock::now() < patience) {
        worker.step([&] { model.add(std::vector<float>(500, mine.rank == 0 ? 0.0F : 2.0F)); });
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    };
    train_until([&] { return edge().meetings > 0; });
    if (mine.rank == 0) set("group", "remote");
    train_until([&] { return edge().failures > 0; });
    ++failed;
    train_until([&] { return failed == 2; });
    if (mine.rank == 0) set("group", "ok");
    const auto before = edge().meetings;
    train_until([&] { return edge().meetings > before + 1; });
    EXPECT_GT(edge().failures, 0U);
    EXPECT_GT(edge().meetings, before + 1);
    EXPECT_EQ(worker.finish().members.size(), 2U);
  });
  EXPECT_EQ(errors, std::vector<std::string>(2));
  EXPECT_GT(counted("aborts"), 0);
}

}  // namespace
}  // namespace duet::test
