#include "worker_run.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

std::vector<std::string> run_workers(int workers, const duet::Options& options,
                                     const std::function<void(duet::Options)>& body) {
  std::vector<std::string> errors(static_cast<std::size_t>(workers));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < workers; ++rank) {
    threads.emplace_back([&, rank] {
      duet::Options mine = options;
      mine.rank = rank;
      mine.local_rank = rank;
      mine.world_size = workers;
      try {
        body(mine);
      } catch (const std::exception& error) {
        errors[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  return errors;
}

duet::Options threads_options() {
  static std::atomic<int> runs{0};
  duet::Options options;
  options.transport = "inproc";
  options.rendezvous = "local:test-" + std::to_string(::getpid()) + "-" + std::to_string(runs.fetch_add(1));
  options.seed_timeout = 10.0;
  options.join_timeout = 20.0;
  // No thread of this process can die by itself, but a sanitizer on a busy machine can hold one up for long.
  options.gone_after = 60.0;
  return options;
}

int count(int quick, int full) {
  return std::getenv("DUET_TEST_FULL") != nullptr ? full : quick;
}
