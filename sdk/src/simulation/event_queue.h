#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

namespace duet::simulation {

/// Virtual time: things that happen at their times, in order; at equal times in the order in which they were
/// planned.
class EventQueue {
 public:
  using Event = std::function<void()>;

  double now() const { return now_; }
  /// A time that has passed means now.
  void at(double time, Event event) { queue_.push({time > now_ ? time : now_, next_++, std::move(event)}); }
  void after(double seconds, Event event) { at(now_ + seconds, std::move(event)); }

  /// Lets the next event happen. False: there is none, or none up to `until`; then `until`, if finite, is
  /// now.
  bool run_next(double until = std::numeric_limits<double>::infinity()) {
    if (queue_.empty() || queue_.top().time > until) {
      if (until < std::numeric_limits<double>::infinity() && until > now_) now_ = until;
      return false;
    }
    // The queue's top is const; what is moved out of it is not what it is ordered by.
    Event event = std::move(const_cast<Planned&>(queue_.top()).event);
    now_ = queue_.top().time;
    queue_.pop();
    event();
    return true;
  }
  void run_until(double time) {
    while (run_next(time)) {
    }
  }

 private:
  struct Planned {
    double time;
    std::uint64_t number;
    Event event;
    bool operator<(const Planned& other) const {  // the queue hands out its greatest: the earliest
      return time != other.time ? time > other.time : number > other.number;
    }
  };

  std::priority_queue<Planned> queue_;
  double now_ = 0.0;
  std::uint64_t next_ = 0;
};

}  // namespace duet::simulation
