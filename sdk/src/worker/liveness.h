#pragma once

#include <cstdint>
#include <vector>

#include "control/messages.h"
#include "duet/options.h"
#include "duet/topology.h"
#include "membership/addresses.h"
#include "membership/members.h"
#include "worker/postbox.h"
#include "worker/shared.h"

namespace duet::worker {

/// Heartbeats out, silence in: keeps the members' view fresh, and the tree over those who are live.
/// Heartbeats go to topology and tree neighbours; what they carry reaches everyone by being passed on.
/// Communication thread only.
class Liveness {
 public:
  Liveness(const membership::Roster& roster, const Topology& topology, const Options& options,
           Postbox& postbox, Shared& shared, double now);

  void on_heartbeat(double now, int from, const control::Heartbeat& heartbeat);
  void heard(double now, int from);
  void set_phase(membership::Phase phase);
  void set_result(std::uint64_t result, double squared_distance) {
    members_.mine().result = result;
    members_.mine().squared_distance = squared_distance;
  }
  void set_passes(std::uint64_t passes) { members_.mine().passes = passes; }
  void set_meetings(std::uint64_t meetings) { members_.mine().meetings = meetings; }
  /// Joins the given attempt at a tree pass and tells the others.
  void set_attempt(std::uint64_t attempt);
  /// Somebody may wait to hear what this worker has come to: do not wait for the next beat.
  void beat_soon() { next_beat_ = 0.0; }
  std::uint64_t highest_attempt() const;

  /// Sends what is due, finds who is gone.
  void advance(double now);
  double next_deadline() const;
  /// Answers a member that was given up for gone and still talks, now and then, so that it knows.
  void tell_gone(double now, int rank);
  /// This worker leaves: one last heartbeat to all neighbours, now.
  void say_goodbye(double now);

  /// Ranks found gone, and ranks that left, since the last call.
  std::vector<int> take_departed();
  const membership::Members& members() const { return members_; }
  const membership::AddressBook& metrics_addresses() const { return metrics_; }
  const membership::Tree& tree() const { return tree_; }
  std::uint64_t tree_version() const { return tree_version_; }

 private:
  void refresh(double now);
  void beat(double now);
  void publish();
  control::Heartbeat heartbeat() const { return {members_.states(), metrics_.known()}; }

  const Topology& topology_;
  const Options& options_;
  Postbox& postbox_;
  Shared& shared_;
  int self_;
  membership::Members members_;
  membership::AddressBook metrics_;
  membership::Tree tree_;
  std::uint64_t tree_version_ = 0;
  std::vector<int> watched_;  ///< live topology and tree neighbours
  std::vector<int> live_;
  std::vector<int> known_gone_;
  std::vector<int> departed_;
  std::vector<bool> heard_once_;
  double joined_ = 0.0;
  double next_beat_ = 0.0;
  double last_beat_ = 0.0;
  double next_reply_ = 0.0;
  bool told_gone_ = false;
};

}  // namespace duet::worker
