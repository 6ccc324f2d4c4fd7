#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "duet/export.h"
#include "duet/topology.h"

namespace duet {

/// What one meeting does to a worker's buffers: the coefficients of the fused passes (docs/concepts.md).
///   mixing:  d += c·z,  z ·= 1 − 2c          with c = (1 − e^(−2η·dt)) / 2
///   meeting: d −= α·m,  z −= (α̃ − α)·m       with m = s_i − s_j, the difference of the two snapshots
struct MeetingCoefficients {
  double c = 0.0;
  double alpha = 0.5;
  double alpha_tilde_minus_alpha = 0.0;
};

/// How two workers that meet move towards each other. Stateless and thread-safe; the simulator and the worker
/// share the same objects.
class DUET_API MeetingAlgorithm {
 public:
  virtual ~MeetingAlgorithm();
  virtual std::string_view name() const = 0;
  /// Whether there is a momentum buffer z at all (4 bytes per parameter).
  virtual bool has_momentum() const = 0;
  /// dt: time since this worker's last meeting, in gradient steps, by its clock (≥ 0).
  virtual MeetingCoefficients coefficients(double dt) const = 0;
};

/// "a2cid2" (needs the graph's constants) or "adpsgd" (plain pairwise averaging, z ≡ 0).
/// Throws ConfigurationError for any other name.
DUET_API std::unique_ptr<MeetingAlgorithm> make_meeting_algorithm(std::string_view name,
                                                                  const Constants& constants);

/// What a StepAlgorithm may do while the trainer waits. Duet makes it and hands it in: the worker's does it,
/// the simulator's notes what was asked for and does it for everyone at once, so an algorithm may look at the
/// parameters before its call and not behind it. Calls are for the trainer's thread, within after_update(),
/// one after the other.
///
/// Algorithms call it and do not derive from it (only tests do). That is why its functions are pure: there is
/// no default that could average or gossip. A later version adds functions at the end, after gossip(), so
/// that algorithms compiled before go on finding theirs; one that stands in for the context itself, as in a
/// test, is compiled anew.
class DUET_API StepContext {
 public:
  virtual ~StepContext();
  virtual int members() const = 0;  ///< live members, this one included
  virtual double rate() const = 0;  ///< Options::rate
  /// Replaces every buffer by its mean over the live members, along the members' tree. Waits for them, for at
  /// most `timeout` seconds; throws TimeoutError or MembershipError.
  virtual void average(double timeout) = 0;
  /// One round of synchronous gossip: exchanges with every neighbour that takes part, and moves x_i by −Σ_j
  /// w_ij·(x_i − x_j), with Metropolis weights w_ij = 1 / (1 + the larger degree) and everyone's x from
  /// before the round. Waits for each of them for at most `timeout` seconds; one that is gone, has finished
  /// or did not come is left out, by both sides, so that the mean stays. A worker makes ready for either
  /// averages or rounds when it starts, by Options::algorithm: throws Error where that is not "dpsgd". Throws
  /// TransportError when this worker's communication has ended.
  virtual void gossip(double timeout) = 0;
};

/// A synchronous algorithm: runs in Worker::step() after the optimizer's update and may wait for peers. No
/// meetings are held.
class DUET_API StepAlgorithm {
 public:
  virtual ~StepAlgorithm();
  virtual std::string_view name() const = 0;
  /// step: 0, 1, …; called by the trainer thread, which owns the parameters for the length of the call.
  virtual void after_update(StepContext& context, std::uint64_t step) = 0;
};

/// "allreduce" (averages after every step), "local-sgd" (after every 1/rate steps; rate ≥ 1: every step; a
/// run ends with an average, so up to 1/rate steps after its goal), or "dpsgd" (a round of gossip after every
/// step). Throws ConfigurationError for any other name.
DUET_API std::unique_ptr<StepAlgorithm> make_step_algorithm(std::string_view name);

/// Which of the two kinds a name is of. Throws ConfigurationError, listing the names, when it is of neither.
enum class AlgorithmKind { kMeeting, kStep };
DUET_API AlgorithmKind algorithm_kind(std::string_view name);

}  // namespace duet
