#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "duet/observer/events.h"

namespace duet::observer {

/// Numbers events and keeps what repeats itself from flooding: of one kind, rank and peer of those that may
/// (repeats() below), one a minute, with the count. Pure.
class EventLog {
 public:
  explicit EventLog(std::size_t most) : most_(most) {}

  void add(double time, EventKind kind, Severity severity, int rank, int peer, std::string text);
  /// Those since the last call.
  std::vector<Event> take();
  /// The newest `most`, oldest first.
  const std::vector<Event>& events() const { return events_; }
  /// Numbers go on: the events of a former generation stay told.
  void clear();

 private:
  static constexpr double kInterval = 60.0;  ///< seconds between two events that repeat each other
  static constexpr std::size_t kMostKeys = 4096;

  struct Repeated {
    double told = 0.0;
    std::uint64_t count = 0;
  };
  std::size_t most_;
  std::uint64_t number_ = 0;
  std::vector<Event> events_;
  std::vector<Event> fresh_;
  std::map<std::tuple<EventKind, int, int>, Repeated> repeated_;
};

/// Whether a kind tells of what may happen many times a second.
bool repeats(EventKind kind);

}  // namespace duet::observer
