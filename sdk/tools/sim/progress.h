#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

namespace duet::sim {

/// "[#####-----]  52 %  3 of 8 runs, about 0:12 left". done: 0 … 1.
std::string progress_line(double done, int complete, int runs, double elapsed_seconds);

/// On stderr, where that is a terminal and it takes a while; thread-safe.
class ProgressBar {
 public:
  explicit ProgressBar(int runs);
  ~ProgressBar();  ///< leaves an empty line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void set(int run, double done);

 private:
  using Clock = std::chrono::steady_clock;
  const bool shown_;
  const Clock::time_point start_ = Clock::now();
  std::mutex mutex_;  ///< guards what follows
  Clock::time_point next_;
  std::vector<double> done_;
  std::size_t drawn_ = 0;  ///< characters on the line
};

}  // namespace duet::sim
