#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "duet/observer/snapshot.h"
#include "duet/observer/source.h"
#include "telemetry/frame.h"

namespace duet::observer {

/// Whom to subscribe to: begins with one worker's address, finds the others in the rosters that workers tell,
/// follows joins, leaves and new incarnations, and tries again when nobody is heard. Pure: what happens and
/// the time (seconds, monotonic) are handed in, decisions are handed out.
///
/// The address that it begins with is a door of its own: it may be a tunnel's, and lead to a worker whose own
/// address cannot be reached from here. Once that worker is heard at its own address, the door is closed.
class RosterTracker {
 public:
  RosterTracker(const Address& door, int most_workers, double silence);

  struct Action {
    enum class Kind { kOpenDoor, kCloseDoor, kSubscribe, kUnsubscribe } kind = Kind::kSubscribe;
    std::string endpoint;  ///< "tcp://host:port"
    bool operator==(const Action&) const = default;
  };

  void on_frame(double now, bool through_door, const telemetry::Frame& frame);
  /// What is to be done at `now`, in order. At first: to open the door.
  std::vector<Action> take_actions(double now);
  /// Until when nothing is to be done, unless a frame comes.
  double next_timer() const;

  SourceState state(double now) const;
  int subscribed() const { return static_cast<int>(subscribed_.size()) + (door_open_ ? 1 : 0); }
  std::optional<double> retry_in(double now) const;

 private:
  static constexpr double kFirstRetry = 0.5;
  static constexpr double kLongestRetry = 10.0;
  /// A member that is gone may be cut off only; after this long its address is let go.
  static constexpr double kForget = 60.0;

  struct Member {
    membership::Incarnation incarnation;
    std::vector<membership::Incarnation> former;
    std::string endpoint;  ///< empty: none
    double gone_since = -1.0;
  };
  void take_roster(double now, const telemetry::FrameHeader& header);
  void subscribe(const std::string& endpoint);
  void unsubscribe(const std::string& endpoint);
  bool silent(double now) const;

  const std::string door_;
  const int most_workers_;
  const double silence_;
  std::string run_id_;
  std::map<int, Member> members_;
  std::map<std::string, int> subscribed_;  ///< endpoints, and by how many members they are wanted
  std::vector<Action> actions_;
  bool door_open_ = false;
  int door_rank_ = -1;  ///< whom the door leads to; −1: not known yet
  bool begun_ = false;
  double heard_ = -1.0;  ///< negative: never
  double retry_at_ = 0.0;
  double retry_after_ = kFirstRetry;
};

}  // namespace duet::observer
