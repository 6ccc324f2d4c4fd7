#include "growing_pool.h"

#include <pthread.h>

#include <system_error>
#include <utility>

namespace duet::exporter {

GrowingPool::~GrowingPool() {
  GrowingPool::shutdown();
}

void GrowingPool::enqueue(std::function<void()> task) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return tasks_.size() < most_ || stopping_; });
  if (tasks_.size() >= idle_ && threads_.size() < most_ && !stopping_) {
    try {
      threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
      // No more threads in this process: those that there are go on, or else the one that accepts.
      if (threads_.empty()) {
        lock.unlock();
        task();
        return;
      }
    }
  }
  tasks_.push_back(std::move(task));
  changed_.notify_one();
}

void GrowingPool::shutdown() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  changed_.notify_all();
  room_.notify_all();
  for (auto& thread : threads)
    thread.join();
}

void GrowingPool::run() {
  pthread_setname_np(pthread_self(), "duet-metrics");
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    --idle_;
    // What waits is served to the end: a task that is dropped would leave its connection open.
    if (tasks_.empty()) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    room_.notify_one();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace duet::exporter
