#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace duet::simulation {

/// Virtual time: things that happen at their times, in order; at equal times in the order in which they were
/// planned. O(log n) for each of n that are planned; what moves in the heap is 24 bytes, the events
/// themselves stay where they are.
class EventQueue {
 public:
  using Event = std::function<void()>;

  double now() const { return now_; }
  std::size_t size() const { return heap_.size(); }

  /// A time that has passed means now.
  void at(double time, Event event) {
    std::size_t slot = events_.size();
    if (free_.empty()) {
      events_.push_back(std::move(event));
    } else {
      slot = free_.back();
      free_.pop_back();
      events_[slot] = std::move(event);
    }
    heap_.push_back({time > now_ ? time : now_, next_++, slot});
    std::push_heap(heap_.begin(), heap_.end());
  }
  void after(double seconds, Event event) { at(now_ + seconds, std::move(event)); }

  /// Lets the next event happen. False: there is none, or none up to `until`; then `until`, if finite, is
  /// now.
  bool run_next(double until = std::numeric_limits<double>::infinity()) {
    if (heap_.empty() || heap_.front().time > until) {
      if (until < std::numeric_limits<double>::infinity() && until > now_) now_ = until;
      return false;
    }
    std::pop_heap(heap_.begin(), heap_.end());
    const Planned planned = heap_.back();
    heap_.pop_back();
    // Taken out first: what happens may plan more, and then the events move.
    const Event event = std::exchange(events_[planned.slot], nullptr);
    free_.push_back(planned.slot);
    now_ = planned.time;
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
    std::size_t slot;
    bool operator<(const Planned& other) const {  // the heap has its greatest in front: the earliest
      return time != other.time ? time > other.time : number > other.number;
    }
  };

  std::vector<Planned> heap_;
  std::vector<Event> events_;      ///< by slot
  std::vector<std::size_t> free_;  ///< slots
  double now_ = 0.0;
  std::uint64_t next_ = 0;
};

}  // namespace duet::simulation
