#pragma once

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace duet::exporter {

/// The server's threads: begun when all that there are have something to do, up to a bound. So a scraper
/// costs one thread, and clients that connect and say nothing cost only themselves as long as they are fewer
/// than the bound. Beyond, whoever accepts connections waits, so that those to come wait in the kernel's
/// queue and cost this process no descriptor. (httplib's own pool has a fixed number of threads and no bound
/// on what waits.)
class GrowingPool : public httplib::TaskQueue {
 public:
  explicit GrowingPool(std::size_t most) : most_(most) {}
  ~GrowingPool() override;
  void enqueue(std::function<void()> task) override;
  void shutdown() override;

 private:
  void run();

  const std::size_t most_;
  std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  std::condition_variable room_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace duet::exporter
