#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "telemetry/frame.h"

namespace duet::telemetry {

/// What happened since the last frame: bounded, and what finds no room is counted, not kept (drop-newest: the
/// first of a burst tell more than the last). Meetings, of which there may be thousands between two frames,
/// leave a quarter of the room to everything else. Communication thread only.
class EventQueue {
 public:
  static constexpr std::size_t kRoom = 256;
  static constexpr std::size_t kRoomForMeetings = kRoom - kRoom / 4;

  EventQueue() { events_.reserve(kRoom); }

  void add(const FrameEvent& event) {
    const std::size_t room = event.kind == FrameEventKind::kMeeting ? kRoomForMeetings : kRoom;
    if (events_.size() >= room) {
      ++dropped_;
      return;
    }
    events_.push_back(event);
  }
  std::vector<FrameEvent> take() {
    auto taken = std::exchange(events_, {});
    events_.reserve(kRoom);
    return taken;
  }
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::vector<FrameEvent> events_;
  std::uint64_t dropped_ = 0;
};
static_assert(EventQueue::kRoom <= kMostFrameEvents);

}  // namespace duet::telemetry
