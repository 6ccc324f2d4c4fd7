// A worker that meets all the time and says so, for tests that kill, stop and cut off its peers:
//
//   restless_worker ELEMENTS      its place in the run comes from DUET_* variables
//
// Lines on standard output, times in seconds on the system's monotonic clock:
//   ready
//   met PEER BEGIN END
//   log TIME TEXT
// It leaves, in order, when its standard input ends: it never outlives the test that started it.
#include <duet/duet.h>
#include <duet/log.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// One line at a time, from whichever thread.
void print(const std::string& line) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  std::puts(line.c_str());
  std::fflush(stdout);
}

/// On a crowded machine a process may not run for seconds, and then looks as if it hung: says so, to tell the
/// two apart.
void watch_the_machine(const std::atomic<bool>& stop) {
  constexpr double kNap = 0.05;
  constexpr double kWorthSaying = 0.5;
  while (!stop) {
    const double before = now_seconds();
    std::this_thread::sleep_for(std::chrono::duration<double>(kNap));
    const double late = now_seconds() - before - kNap;
    if (late > kWorthSaying) {
      print("log " + std::to_string(now_seconds()) + " (this process was held up by the machine for " +
            std::to_string(late) + " s)");
    }
  }
}

void wait_for_the_end_of_input() {
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const long elements = argc > 1 ? std::atol(argv[1]) : 0;
  if (elements < 1) {
    std::fprintf(stderr, "restless_worker: how many elements?\n");
    return 2;
  }
  duet::set_log_sink([](duet::LogLevel, std::string_view text) {
    print("log " + std::to_string(now_seconds()) + " " + std::string(text));
  });
  duet::Options options = duet::Options::from_environment();
  options.unlimited_budget = true;
  options.keep_start = true;

  std::vector<float> x(static_cast<std::size_t>(elements));
  std::mt19937 random(static_cast<unsigned>(options.rank) + 1U);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(random() % 1000);
  {
    duet::Worker worker(options, {duet::Buffer{x.data(), x.size(), duet::DType::kFloat32, "x"}});
    worker.on_meeting([](const duet::MeetingEvent& event) {
      const double end = now_seconds();
      print("met " + std::to_string(event.peer) + " " + std::to_string(end - event.duration) + " " +
            std::to_string(end));
    });
    worker.step([] {});
    print("ready");
    std::atomic<bool> stop = false;
    std::thread watch([&] { watch_the_machine(stop); });
    wait_for_the_end_of_input();
    stop = true;
    watch.join();
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "restless_worker: %s\n", error.what());
  return 2;
}
