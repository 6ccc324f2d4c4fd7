#include "roster_tracker.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

namespace duet::observer {
namespace {

// What a roster names comes from the network: only what is a TCP address is connected to.
std::string checked_endpoint(const std::string& address) {
  if (!address.starts_with("tcp://")) return "";
  const std::optional<Address> parsed = parse_address(address);
  return parsed ? "tcp://" + parsed->text() : "";
}

}  // namespace

RosterTracker::RosterTracker(const Address& door, int most_workers, double silence)
    : door_("tcp://" + door.text()), most_workers_(most_workers), silence_(silence) {}

bool RosterTracker::silent(double now) const {
  return heard_ < 0.0 || now - heard_ > silence_;
}

SourceState RosterTracker::state(double now) const {
  if (heard_ < 0.0) return SourceState::kConnecting;
  return silent(now) ? SourceState::kReconnecting : SourceState::kRunning;
}

std::optional<double> RosterTracker::retry_in(double now) const {
  if (!silent(now)) return std::nullopt;
  return std::max(0.0, retry_at_ - now);
}

void RosterTracker::on_frame(double now, bool through_door, const telemetry::Frame& frame) {
  if (run_id_.empty()) run_id_ = frame.run_id;
  if (frame.run_id != run_id_) {
    // Another run where ours was: it is let in once ours is silent.
    if (!silent(now)) return;
    run_id_ = frame.run_id;
    for (const auto& [rank, member] : members_)
      if (!member.endpoint.empty()) unsubscribe(member.endpoint);
    members_.clear();
    door_rank_ = -1;
  }
  heard_ = now;
  retry_after_ = kFirstRetry;
  if (through_door) {
    door_rank_ = frame.rank;
  } else if (door_open_ && frame.rank == door_rank_) {
    door_open_ = false;
    actions_.push_back({Action::Kind::kCloseDoor, door_});
  }
  if (const auto* header = std::get_if<telemetry::FrameHeader>(&frame.content)) take_roster(now, *header);
}

void RosterTracker::take_roster(double now, const telemetry::FrameHeader& header) {
  for (const telemetry::FrameMember& told : header.roster) {
    const auto known = members_.find(told.rank);
    if (known == members_.end() && static_cast<int>(members_.size()) >= most_workers_) continue;
    Member& member = members_[told.rank];
    const bool first = known == members_.end();
    if (!first && told.incarnation != member.incarnation) {
      // Who has not heard yet of the newer one tells of the former.
      if (std::find(member.former.begin(), member.former.end(), told.incarnation) != member.former.end())
        continue;
      if (member.former.size() >= 16) member.former.erase(member.former.begin());
      member.former.push_back(member.incarnation);
    }
    const bool gone = told.phase >= membership::Phase::kLeft;
    if (told.incarnation != member.incarnation) member.gone_since = -1.0;
    if (gone && member.gone_since < 0.0) member.gone_since = now;
    if (!gone) member.gone_since = -1.0;
    member.incarnation = told.incarnation;
    const bool forgotten = member.gone_since >= 0.0 && (first || now - member.gone_since > kForget);
    const std::string endpoint = forgotten ? "" : checked_endpoint(told.telemetry_address);
    if (endpoint == member.endpoint) continue;
    if (!member.endpoint.empty()) unsubscribe(member.endpoint);
    member.endpoint = endpoint;
    if (!endpoint.empty()) subscribe(endpoint);
  }
}

void RosterTracker::subscribe(const std::string& endpoint) {
  if (subscribed_[endpoint]++ == 0) actions_.push_back({Action::Kind::kSubscribe, endpoint});
}

void RosterTracker::unsubscribe(const std::string& endpoint) {
  const auto found = subscribed_.find(endpoint);
  if (found == subscribed_.end() || --found->second > 0) return;
  subscribed_.erase(found);
  actions_.push_back({Action::Kind::kUnsubscribe, endpoint});
}

std::vector<RosterTracker::Action> RosterTracker::take_actions(double now) {
  if (!begun_) {
    begun_ = true;
    door_open_ = true;
    actions_.push_back({Action::Kind::kOpenDoor, door_});
    retry_at_ = now + silence_;
  } else if (silent(now)) {
    if (heard_ >= 0.0 && retry_at_ < heard_) retry_at_ = now;  // it has just become silent
    if (now >= retry_at_) {
      // All connections anew: names may lead elsewhere by now, and a connection may be dead without knowing
      // it.
      if (door_open_) actions_.push_back({Action::Kind::kCloseDoor, door_});
      door_open_ = true;
      actions_.push_back({Action::Kind::kOpenDoor, door_});
      for (const auto& [endpoint, count] : subscribed_) {
        actions_.push_back({Action::Kind::kUnsubscribe, endpoint});
        actions_.push_back({Action::Kind::kSubscribe, endpoint});
      }
      retry_at_ = now + retry_after_;
      retry_after_ = std::min(kLongestRetry, 2.0 * retry_after_);
    }
  }
  return std::exchange(actions_, {});
}

double RosterTracker::next_timer() const {
  if (!begun_ || !actions_.empty()) return 0.0;
  if (heard_ < 0.0) return retry_at_;
  return std::max(retry_at_, heard_ + silence_);
}

}  // namespace duet::observer
