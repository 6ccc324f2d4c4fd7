#include "sim/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <numeric>

namespace duet::sim {

namespace {
constexpr int kWidth = 30;
constexpr auto kPatience = std::chrono::milliseconds(500);
constexpr auto kInterval = std::chrono::milliseconds(100);
}  // namespace

std::string progress_line(double done, int complete, int runs, double elapsed_seconds) {
  done = std::clamp(done, 0.0, 1.0);
  const int filled = static_cast<int>(std::floor(done * kWidth));
  std::string line = "[" + std::string(static_cast<std::size_t>(filled), '#') +
                     std::string(static_cast<std::size_t>(kWidth - filled), '-') + "]";
  char text[96];
  std::snprintf(text, sizeof text, " %3d %%  %d of %d runs", static_cast<int>(std::floor(100.0 * done)),
                complete, runs);
  line += text;
  // A guess from less than that is none.
  if (done > 0.01 && done < 1.0) {
    const auto left = static_cast<long>(std::ceil(elapsed_seconds / done * (1.0 - done)));
    std::snprintf(text, sizeof text, ", about %ld:%02ld left", left / 60, left % 60);
    line += text;
  }
  return line;
}

ProgressBar::ProgressBar(int runs)
    : shown_(::isatty(STDERR_FILENO) == 1),
      next_(start_ + kPatience),
      done_(static_cast<std::size_t>(runs), 0.0) {}

ProgressBar::~ProgressBar() {
  if (drawn_ > 0) std::cerr << "\r" << std::string(drawn_, ' ') << "\r" << std::flush;
}

void ProgressBar::set(int run, double done) {
  if (!shown_) return;
  const std::lock_guard lock(mutex_);
  double& own = done_[static_cast<std::size_t>(run)];
  own = std::max(own, done);  // a distance that grows again for a while does not push it back
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  const double sum = std::accumulate(done_.begin(), done_.end(), 0.0);
  const auto complete = std::count_if(done_.begin(), done_.end(), [](double value) { return value >= 1.0; });
  const std::chrono::duration<double> elapsed = now - start_;
  const std::string line = progress_line(sum / static_cast<double>(done_.size()), static_cast<int>(complete),
                                         static_cast<int>(done_.size()), elapsed.count());
  const std::size_t rest = drawn_ > line.size() ? drawn_ - line.size() : 0;
  std::cerr << "\r" << line << std::string(rest, ' ') << std::flush;
  drawn_ = line.size();
}

}  // namespace duet::sim
