#include "simulation/seeds.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "support/processors.h"

namespace duet::simulation {

void run_all(int count, int jobs, const std::function<void(int)>& run) {
  const int processors = support::usable_processors();
  const int threads_wanted = std::min(count, jobs > 0 ? std::min(jobs, processors) : processors);
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
      for (int k = 1; k < threads_wanted; ++k)
        threads.emplace_back(work);
    } catch (...) {
      fail();
    }
    work();
  }
  if (problem != nullptr) std::rethrow_exception(problem);
}

}  // namespace duet::simulation
