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
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
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

/// How long each thread of this process has waited for a processor so far, in seconds; by thread id.
std::map<std::string, double> waited_for_a_processor() {
  std::map<std::string, double> waited;
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    double ran = 0.0;
    double waiting = 0.0;
    if (std::ifstream(thread.path() / "schedstat") >> ran >> waiting) {
      waited[thread.path().filename()] = 1e-9 * waiting;
    }
  }
  return waited;
}

/// On a crowded machine a thread may not run for seconds, and then looks as if it hung: says so, to tell the
/// two apart.
void watch_the_machine(const std::atomic<bool>& stop) {
  constexpr double kWorthSaying = 0.5;  // of a second, within a second
  auto before = waited_for_a_processor();
  double next = now_seconds() + 1.0;
  while (!stop) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (now_seconds() < next) continue;
    next = now_seconds() + 1.0;
    auto now = waited_for_a_processor();
    for (const auto& [thread, waited] : now) {
      const double more = waited - (before.contains(thread) ? before[thread] : waited);
      if (more > kWorthSaying) {
        print("log " + std::to_string(now_seconds()) + " (thread " + thread + " waited for a processor for " +
              std::to_string(more) + " s since a second ago)");
      }
    }
    before = std::move(now);
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
