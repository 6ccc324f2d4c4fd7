#include "event_log.h"

#include <utility>

namespace duet::observer {

bool repeats(EventKind kind) {
  switch (kind) {
    case EventKind::kRefused:
    case EventKind::kOtherRun:
    case EventKind::kLost:
    case EventKind::kClock:
    case EventKind::kWorkerNotice:
      return true;
    default:
      return false;
  }
}

void EventLog::add(double time, EventKind kind, Severity severity, int rank, int peer, std::string text) {
  std::uint64_t count = 1;
  if (repeats(kind)) {
    // Strangers choose what they claim to be: what they can make us remember is bounded.
    if (repeated_.size() >= kMostKeys) repeated_.clear();
    Repeated& known = repeated_[{kind, rank, peer}];
    ++known.count;
    const bool recently = known.count > 1 && time - known.told < kInterval && time >= known.told;
    if (recently) return;
    known.told = time;
    count = known.count;
  }
  Event event{.number = ++number_,
              .time = time,
              .kind = kind,
              .severity = severity,
              .rank = rank,
              .peer = peer,
              .count = count,
              .text = std::move(text)};
  fresh_.push_back(event);
  if (fresh_.size() > most_) fresh_.erase(fresh_.begin());
  events_.push_back(std::move(event));
  if (events_.size() > most_) events_.erase(events_.begin());
}

std::vector<Event> EventLog::take() {
  return std::exchange(fresh_, {});
}

void EventLog::clear() {
  events_.clear();
  fresh_.clear();
  repeated_.clear();
}

}  // namespace duet::observer
