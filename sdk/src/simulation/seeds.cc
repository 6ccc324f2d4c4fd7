#include "simulation/seeds.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace duet::simulation {

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set);
}

void run_all(int count, int jobs, const std::function<void(int)>& run) {
  std::atomic<int> next{0};
  std::mutex mutex;
  std::exception_ptr problem;
  const auto fail = [&] {
    const std::lock_guard lock(mutex);
    if (problem == nullptr) problem = std::current_exception();
    next = count;
  };
  const auto work = [&] {
    for (int k = next++; k < count; k = next++) {
      try {
        run(k);
      } catch (...) {
        fail();
      }
    }
  };
  {
    std::vector<std::jthread> threads;  // joins at the end, whatever happens
    try {
      for (int k = 1; k < std::min({jobs, count, usable_processors()}); ++k)
        threads.emplace_back(work);
    } catch (...) {
      fail();
    }
    work();
  }
  if (problem != nullptr) std::rethrow_exception(problem);
}

}  // namespace duet::simulation
