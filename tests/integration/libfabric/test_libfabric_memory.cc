/// Memory: registration for providers that demand it, and CUDA devices. No such provider runs without
/// hardware, so libfabric is given one of ours (fakes/registering_provider.cc: tcp with the demands of
/// hardware), and a CUDA driver whose device memory is host memory (fakes/cuda.c). Everything else is real.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "integration/libfabric/fakes/registering_provider.h"
#include "integration/libfabric/plugin_driver.h"

namespace duet::driver {
namespace {

using testing::HasSubstr;

/// Before the plugin and libfabric look for them.
const bool fakes_are_in_place = [] {
  setenv("FI_PROVIDER_PATH", DUET_FAKES, 1);
  // libcuda.so.1 is then known by its name.
  return dlopen(DUET_FAKES "/libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) != nullptr;
}();

RegisteringCounters& counters() {
  static RegisteringCounters* const found = [] {
    void* library = dlopen(DUET_FAKES "/libregistering-fi.so", RTLD_NOW);
    if (library == nullptr) throw std::runtime_error(dlerror());
    const auto function =
        reinterpret_cast<RegisteringCounters* (*)()>(dlsym(library, "registering_counters"));
    return function();
  }();
  return *found;
}

duet_memory memory_of(void* data, std::uint64_t bytes, std::int32_t kind = DUET_MEMORY_HOST,
                      void* stream = nullptr) {
  duet_memory memory{};
  memory.data = data;
  memory.bytes = bytes;
  memory.kind = kind;
  memory.stream = stream;
  return memory;
}

class Memory : public testing::Test {
 protected:
  using Settings = std::vector<std::pair<const char*, const char*>>;

  Memory() {
    EXPECT_TRUE(fakes_are_in_place);
    a_.emplace(settings_);
    b_.emplace(settings_);
    from_a_ = a_->connect(b_->address(), 1, in_ms(5000));
    from_b_ = b_->accept(1, in_ms(5000));
    EXPECT_TRUE(poll_both(
        *a_, *b_,
        [&] {
          return state_of(from_a_) == DUET_CONNECTION_READY && state_of(from_b_) == DUET_CONNECTION_READY;
        },
        5000));
    start_ = counters();
  }

  ~Memory() override {
    a_.reset();
    b_.reset();
    EXPECT_EQ(counters().live, 0u) << "registrations were left behind";
    EXPECT_EQ(counters().violations, 0u);
    counters().violations = 0;
  }

  std::uint64_t registrations() const { return counters().registrations - start_.registrations; }
  std::uint64_t live() const { return counters().live - start_.live; }

  bool finish(std::size_t at_a, std::size_t at_b) {
    return poll_both(
        *a_, *b_, [&] { return a_->finished().size() >= at_a && b_->finished().size() >= at_b; }, 5000);
  }

  const Settings settings_ = {{"provider", "registering"}};
  std::optional<Endpoint> a_, b_;
  duet_connection* from_a_ = nullptr;
  duet_connection* from_b_ = nullptr;
  RegisteringCounters start_;
};

TEST_F(Memory, ProbeSaysWhatTheProviderTakes) {
  const duet_setting setting{"provider", "registering"};
  duet_probe_result result{};
  result.struct_size = sizeof result;
  ASSERT_EQ(plugin().probe(&setting, 1, &result), DUET_OK);
  EXPECT_EQ(result.viable, 1) << result.reason;
  EXPECT_NE(result.capabilities & DUET_CAPABILITY_CUDA_MEMORY, 0u);
  EXPECT_NE(result.capabilities & DUET_CAPABILITY_EXPERIMENTAL, 0u);
  EXPECT_EQ(result.capabilities & DUET_CAPABILITY_NEEDS_REGISTRATION, 0u) << "it registers by itself";
  // There is a device, but tcp does not take its memory.
  const duet_setting tcp{"provider", "tcp"};
  ASSERT_EQ(plugin().probe(&tcp, 1, &result), DUET_OK);
  EXPECT_EQ(result.viable, 1) << result.reason;
  EXPECT_EQ(result.capabilities, static_cast<std::uint64_t>(DUET_CAPABILITY_HOST_MEMORY));
}

TEST_F(Memory, IsRegisteredForAsLongAsItIsLent) {
  std::vector<int> out(1 << 20);
  std::iota(out.begin(), out.end(), 1);
  std::vector<int> in(out.size());
  const std::uint64_t bytes = out.size() * sizeof(int);
  ASSERT_EQ(b_->receive(from_b_, in.data(), bytes, 1), DUET_OK);
  ASSERT_EQ(b_->receive(from_b_, nullptr, 0, 2), DUET_OK);
  EXPECT_EQ(live(), 1u) << "nothing needs no registration";
  ASSERT_EQ(a_->send(from_a_, out.data(), bytes, 1), DUET_OK);
  ASSERT_EQ(a_->send(from_a_, nullptr, 0, 2), DUET_OK);
  EXPECT_EQ(live(), 2u);
  ASSERT_TRUE(finish(2, 2));
  EXPECT_EQ(in, out);
  EXPECT_EQ(live(), 0u) << "the buffers are the host's again";
}

TEST_F(Memory, ThatTheHostVouchesForIsRegisteredOnce) {
  constexpr std::size_t kBlock = 4096;
  constexpr std::uint64_t kBlocks = 200;
  std::vector<char> arena(8 * kBlock);
  std::vector<char> room(8 * kBlock);
  void* of_a = nullptr;
  void* of_b = nullptr;
  const duet_memory whole = memory_of(arena.data(), arena.size());
  const duet_memory whole_room = memory_of(room.data(), room.size());
  duet_error error{};
  ASSERT_EQ(plugin().register_memory(a_->get(), &whole, &of_a, &error), DUET_OK) << error.text;
  ASSERT_EQ(plugin().register_memory(b_->get(), &whole_room, &of_b, &error), DUET_OK) << error.text;
  EXPECT_NE(of_a, nullptr);
  for (std::uint64_t block = 1; block <= kBlocks; ++block) {
    const std::size_t at = block % 8 * kBlock;
    std::memset(&arena[at], static_cast<int>(block), kBlock);
    ASSERT_EQ(b_->receive(from_b_, &room[at], kBlock, block), DUET_OK);
    ASSERT_EQ(a_->send(from_a_, &arena[at], kBlock, block), DUET_OK);
    ASSERT_TRUE(finish(block, block));
    ASSERT_EQ(room[at + kBlock - 1], static_cast<char>(block));
  }
  EXPECT_EQ(registrations(), 2u) << "one for each side";
  // A byte outside is outside.
  char byte = 0;
  ASSERT_EQ(b_->receive(from_b_, &byte, 1, kBlocks + 1), DUET_OK);
  EXPECT_EQ(registrations(), 3u);
  plugin().unregister_memory(a_->get(), of_a);
  plugin().unregister_memory(b_->get(), of_b);
  EXPECT_EQ(live(), 1u);
  plugin().unregister_memory(b_->get(), of_b);  // a mistake of the host: noted, no harm done
}

TEST_F(Memory, ThatIsLetGoOfTooEarlyStaysRegisteredUntilItsOperationsHaveEnded) {
  std::vector<char> out(1 << 20, 'x');
  std::vector<char> in(1 << 20);
  void* handle = nullptr;
  const duet_memory memory = memory_of(in.data(), in.size());
  duet_error error{};
  ASSERT_EQ(plugin().register_memory(b_->get(), &memory, &handle, &error), DUET_OK) << error.text;
  ASSERT_EQ(b_->receive(from_b_, in.data(), in.size(), 1), DUET_OK);
  plugin().unregister_memory(b_->get(), handle);
  EXPECT_EQ(live(), 1u);
  ASSERT_EQ(a_->send(from_a_, out.data(), out.size(), 1), DUET_OK);
  ASSERT_TRUE(finish(1, 1));
  EXPECT_EQ(in, out);
  EXPECT_EQ(live(), 0u);
}

TEST_F(Memory, ComesBackFromABrokenConnection) {
  std::vector<char> data(16 << 20);
  ASSERT_EQ(a_->send(from_a_, data.data(), data.size(), 1), DUET_OK);
  ASSERT_EQ(a_->receive(from_a_, data.data(), 100, 2), DUET_OK);
  EXPECT_EQ(live(), 1u) << "the receive lies within what the send has registered";
  ASSERT_EQ(b_->receive(from_b_, data.data(), data.size(), 1, in_ms(50)), DUET_OK);
  plugin().close_connection(from_a_);
  EXPECT_EQ(live(), 1u);
  ASSERT_TRUE(finish(2, 1));
  EXPECT_EQ(live(), 0u);
}

TEST_F(Memory, ThatCannotBeRegisteredIsRefusedAndNothingElseSuffers) {
  std::vector<char> data(1000, 'x');
  std::vector<char> room(1000);
  counters().fail_next = 1;
  const duet_memory memory = memory_of(data.data(), data.size());
  duet_error error{};
  EXPECT_EQ(plugin().post_send(from_a_, &memory, 1, 0, &error), DUET_NOT_SUPPORTED);
  EXPECT_THAT(error.text, HasSubstr("1000 bytes of host memory cannot be registered"));
  EXPECT_THAT(error.text, HasSubstr("limit on locked memory"));
  counters().fail_next = 1;
  void* handle = nullptr;
  EXPECT_EQ(plugin().register_memory(a_->get(), &memory, &handle, &error), DUET_NOT_SUPPORTED);
  EXPECT_EQ(handle, nullptr);
  ASSERT_EQ(a_->send(from_a_, data.data(), data.size(), 2), DUET_OK);
  ASSERT_EQ(b_->receive(from_b_, room.data(), room.size(), 2), DUET_OK);
  ASSERT_TRUE(finish(1, 1));
  EXPECT_EQ(room, data);
}

TEST_F(Memory, OfADeviceWaitsForItsStream) {
  std::vector<char> out(1 << 20, 'x');
  std::vector<char> in(1 << 20);
  int producer = 1;  // busy
  int consumer = 1;
  duet_error error{};
  const duet_memory source = memory_of(out.data(), out.size(), DUET_MEMORY_CUDA, &producer);
  const duet_memory target = memory_of(in.data(), in.size(), DUET_MEMORY_CUDA, &consumer);
  const std::uint64_t before = counters().cuda;
  ASSERT_EQ(plugin().post_send(from_a_, &source, 1, 0, &error), DUET_OK) << error.text;
  ASSERT_EQ(plugin().post_receive(from_b_, &target, 1, 0, &error), DUET_OK) << error.text;
  EXPECT_EQ(counters().cuda - before, 2u);
  // What is behind it keeps its place, ready or not.
  char word = 'w';
  char letter = 0;
  ASSERT_EQ(a_->send(from_a_, &word, 1, 2), DUET_OK);
  ASSERT_EQ(b_->receive(from_b_, &letter, 1, 2), DUET_OK);

  const double cpu = cpu_seconds();
  poll_both(
      *a_, *b_, [] { return false; }, 100);
  EXPECT_TRUE(a_->finished().empty());
  EXPECT_TRUE(b_->finished().empty());
  EXPECT_LT(cpu_seconds() - cpu, 0.1) << "waiting for a stream must not cost a core";
  std::uint64_t sleep_ns = 1'000'000'000;
  if (plugin().arm(a_->get(), &sleep_ns) == DUET_OK) {
    EXPECT_LE(sleep_ns, 1'000'000u) << "nothing will wake the host";
  }
  std::fill(out.begin(), out.end(), 'y');  // what the stream's kernels write
  producer = 0;
  poll_both(
      *a_, *b_, [] { return false; }, 20);
  EXPECT_EQ(in, std::vector<char>(in.size())) << "the consumer still reads the old content";
  consumer = 0;
  ASSERT_TRUE(finish(2, 2));
  EXPECT_EQ(in, out);
  EXPECT_EQ(letter, 'w');
}

TEST_F(Memory, OfADeviceWhoseStreamNeverComesEndsAtItsDeadline) {
  char data = 'x';
  int stream = 1;
  duet_error error{};
  const duet_memory memory = memory_of(&data, 1, DUET_MEMORY_CUDA, &stream);
  ASSERT_EQ(plugin().post_send(from_a_, &memory, 1, in_ms(50), &error), DUET_OK) << error.text;
  ASSERT_TRUE(a_->poll_until_finished(1, 1000));
  EXPECT_EQ(a_->status_of(1), DUET_TIMED_OUT);
  EXPECT_EQ(state_of(from_a_), DUET_CONNECTION_READY) << "libfabric never had it";
}

TEST_F(Memory, OfADeviceThatReportsAnErrorEndsTheConnectionWithIt) {
  char data = 'x';
  int stream = 1;
  duet_error error{};
  const duet_memory memory = memory_of(&data, 1, DUET_MEMORY_CUDA, &stream);
  ASSERT_EQ(plugin().post_send(from_a_, &memory, 1, 0, &error), DUET_OK) << error.text;
  stream = -700;  // an illegal address somewhere
  ASSERT_TRUE(a_->poll_until_finished(1, 1000));
  EXPECT_EQ(a_->status_of(1), DUET_DEVICE_ERROR);
  EXPECT_THAT(error_of(from_a_).text, HasSubstr("rank 3"));
  EXPECT_THAT(error_of(from_a_).text, HasSubstr("cuEventQuery failed (700)"));
}

TEST(MemoryOfTcp, NeedsNoRegistration) {
  const std::vector<std::pair<const char*, const char*>> settings = {{"provider", "tcp"}};
  Endpoint endpoint(settings);
  std::vector<char> data(1000);
  void* handle = nullptr;
  duet_memory memory = memory_of(data.data(), data.size());
  duet_error error{};
  const std::uint64_t before = counters().registrations;
  ASSERT_EQ(plugin().register_memory(endpoint.get(), &memory, &handle, &error), DUET_OK) << error.text;
  plugin().unregister_memory(endpoint.get(), handle);
  EXPECT_EQ(counters().registrations, before);
  memory.kind = DUET_MEMORY_CUDA;
  EXPECT_EQ(plugin().register_memory(endpoint.get(), &memory, &handle, &error), DUET_NOT_SUPPORTED);
  EXPECT_THAT(error.text, HasSubstr("tcp over lo"));
  memory = memory_of(nullptr, 10);
  EXPECT_EQ(plugin().register_memory(endpoint.get(), &memory, &handle, &error), DUET_MISUSE);
}

}  // namespace
}  // namespace duet::driver
