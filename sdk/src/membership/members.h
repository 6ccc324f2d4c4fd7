#pragma once

#include <cstdint>
#include <vector>

#include "duet/topology.h"
#include "membership/roster.h"

/// Who is there, who is gone, how far everyone is: pure, time handed in (seconds, monotonic). Not
/// thread-safe.
namespace duet::membership {

/// Where a member is in its life; only ever grows. Everyone's view is merged by maximum.
enum class Phase : std::uint8_t {
  kTraining = 0,
  kStopping = 1,   ///< synchronous algorithms: makes no more steps, but others may need its last one
  kFinished = 2,   ///< has trained all that it wanted; still meets
  kAveraging = 3,  ///< takes part in the final average
  kAveraged = 4,   ///< has its result, and stays to pass it on
  kConcluded = 5,  ///< finish() is over: takes part in no pass any more
  kLeft = 6,
  kGone = 7
};

/// One member as told from worker to worker, in every heartbeat.
struct MemberState {
  Incarnation incarnation;
  Phase phase = Phase::kTraining;
  /// Counted up by its owner at every heartbeat. News of it by any path are a sign of life, so that one bad
  /// path between two neighbours costs neither of them its place in the run.
  std::uint64_t beats = 0;
  std::uint64_t steps = 0;
  std::uint64_t samples = 0;
  std::uint64_t meetings = 0;
  /// Which attempt at the tree pass under way it is in; raised by whoever saw one fail, the highest one
  /// stands.
  std::uint64_t attempt = 0;
  /// Synchronous algorithms: averages of a step that it has completed. Whoever completed one has what the
  /// others of that average wait for.
  std::uint64_t passes = 0;
  /// Which final average it holds: a hash of the ranks that this one counts, the same with all who hold it;
  /// 0: none yet. A worker that gave up on the others holds one of its own.
  std::uint64_t result = 0;
  /// Once it holds one: ‖(x + d) − mean of the counted members' x + d‖² of this member, so that all know the
  /// run's final consensus distance.
  double squared_distance = 0.0;
  bool operator==(const MemberState&) const = default;
};

/// Merges what is told about one member into what is known: every count and the phase by maximum.
/// Commutative, associative, idempotent, and nothing ever decreases. False, and nothing happens, for another
/// incarnation.
bool merge_state(MemberState& known, const MemberState& told);

class Members {
 public:
  /// Silence is counted from the first call that hands in a time.
  Members(const Roster& roster, int self, double gone_after);

  MemberState& mine();  ///< to write this worker's own counts and phase
  const MemberState& of(int rank) const;
  const std::vector<MemberState>& states() const;  ///< what a heartbeat carries
  /// A heartbeat of `from`: merges by maximum; heard were `from`, and whoever has beaten since the last news
  /// of it. Returns whether any phase changed (then tell the neighbours at once). Entries of another
  /// incarnation are ignored, and so is all that a member says that is gone: cut off, it may think that
  /// everyone else is. What others say about this worker changes nothing but declared_gone().
  bool merge(double now, int from, const std::vector<MemberState>& states);
  /// Anything of `from` was heard.
  void heard(double now, int from);
  /// Which of `watched` have been silent for gone_after: they become kGone. Returns them. A silent member
  /// that already had the final average (kAveraged) is not lost: it becomes kLeft, and is not among them.
  /// When this worker itself was not running (no check() for half of gone_after), nobody is blamed before
  /// another half of it has passed.
  std::vector<int> check(double now, const std::vector<int>& watched);

  bool live(int rank) const;  ///< neither kGone nor kLeft
  std::vector<int> live_ranks() const;
  std::vector<int> gone_ranks() const;
  /// Another member has told that this worker is gone, or that it left (it was silent for too long): it goes
  /// on, but those who think so no longer listen.
  bool declared_gone() const;
  std::uint64_t epoch() const;  ///< 1 + number of members gone
  /// The same on all workers that agree on which incarnations are gone. A member that left counts as before:
  /// it took the final average with it, so whoever still works on that must not see another set of members.
  std::uint64_t live_hash() const;
  std::uint64_t total_samples() const;
  std::uint64_t total_steps() const;
  bool all_live_at_least(Phase phase) const;
  /// Seconds since the last sign of life of `rank` (or since the first call with a time; 0 before).
  double silence(double now, int rank) const;

 private:
  MemberState& state(int rank);
  void begin(double now);

  int self_;
  double gone_after_;
  std::vector<MemberState> states_;
  std::vector<double> heard_;
  double last_check_ = 0.0;
  bool begun_ = false;
  bool declared_gone_ = false;
};

/// The breadth-first tree of the topology over the live ranks, rooted at the lowest. Where they no longer
/// hang together, each further component is tied to the root through its lowest rank, so that everyone is
/// reached.
struct Tree {
  int parent = -1;  ///< of this worker; −1: it is the root
  std::vector<int> children;
  int size = 1;    ///< members in the whole tree
  int depth = 0;   ///< of this worker
  int height = 0;  ///< of the whole tree
};
/// ranks: in any order; a worker that is not among them is alone. Children are sorted. The same on all
/// workers.
Tree make_tree(const Topology& topology, const std::vector<int>& ranks, int self);

}  // namespace duet::membership
