// What telemetry costs the trainer's thread: no system call, no allocation, and of locks only the gate's. A
// program of its own: it replaces malloc and pthread_mutex_lock, and counts.
#include <dlfcn.h>
#include <duet/duet.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "telemetry/histogram.h"
#include "worker/shared.h"

namespace {

thread_local bool counting = false;
thread_local std::uint64_t allocations = 0;
thread_local std::uint64_t locks = 0;

}  // namespace

// Not inlined: beside a call of it, g++ would take free() for the wrong counterpart of new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) {
  using Lock = int (*)(pthread_mutex_t*);
  static const auto real = reinterpret_cast<Lock>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  if (counting) ++locks;
  return real(mutex);
}

namespace {

/// From here on any system call but these ends the process. (clock_gettime is none where the machine's clock
/// can be read without one; where it cannot, the gate's own time-keeping makes one, with or without
/// telemetry.)
void forbid_system_calls() {
  std::array<sock_filter, 6> filter = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog program = {.len = static_cast<unsigned short>(filter.size()), .filter = filter.data()};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

duet::Options alone() {
  duet::Options options;
  options.world_size = 1;
  return options;
}

constexpr std::uint64_t kSteps = 10000;

TEST(TrainerCost, AStepTakesTheGateAndNothingElse) {
  std::vector<float> x(1000);
  duet::Worker worker(alone(), {duet::Buffer{x.data(), x.size()}});
  const std::function<void()> update = [&] { x[0] += 1.0F; };
  worker.step(update);
  allocations = locks = 0;
  counting = true;
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    worker.step(update);
    worker.report_loss(0.5);
  }
  counting = false;
  EXPECT_EQ(allocations, 0u);
  EXPECT_EQ(locks, 2 * kSteps) << "into the gate and out of it";
  EXPECT_EQ(worker.statistics().step_duration.count(), kSteps);
}

TEST(TrainerCost, TheCountersTakeNoLockAndNoMemory) {
  duet::worker::Shared shared;
  allocations = locks = 0;
  counting = true;
  for (std::uint64_t i = 0; i < kSteps; ++i) {
    shared.step_duration.record(1e-6 * static_cast<double>(i));
    shared.losses.fetch_add(1, std::memory_order_release);
  }
  counting = false;
  EXPECT_EQ(allocations, 0u);
  EXPECT_EQ(locks, 0u);
}

TEST(TrainerCost, AStepMakesNoSystemCall) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::vector<float> x(1000);
    duet::Worker worker(alone(), {duet::Buffer{x.data(), x.size()}});
    const std::function<void()> update = [&] { x[0] += 1.0F; };
    worker.step(update);
    worker.report_loss(0.5);
    forbid_system_calls();
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      worker.step(update);
      worker.report_loss(0.5);
    }
    syscall(SYS_exit_group, 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "a system call was made: signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// The above would not fail for nothing: it does when there is a call.
TEST(TrainerCost, ASystemCallWouldBeNoticed) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    forbid_system_calls();
    (void)getppid();
    syscall(SYS_exit_group, 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
}

}  // namespace
