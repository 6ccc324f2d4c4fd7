#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exchange/replica.h"
#include "transport/transport.h"

namespace duet::exchange {

/// The live connections of this worker to its parent and children in the members' tree, for bulk data.
struct TreeLinks {
  transport::Connection* parent = nullptr;       ///< null: this worker is the root
  std::vector<transport::Connection*> children;  ///< sums are added in this order
};

enum class TreeOperation {
  kBroadcast,  ///< x = the root's x everywhere; d = z = 0
  /// x = Σ (x + d + ½z) / members, everywhere; d = z = 0 (with bf16 parameters d keeps what x cannot hold)
  kAverage,
  /// The same, and everyone hears whom it counts, and measures how far it was from the mean of the counted
  /// positions. With momentum that mean is not the result, and travels beside it: twice the bytes.
  kFinalAverage,
};

struct TreePlan {
  TreeOperation operation = TreeOperation::kAverage;
  /// Not 0, the same on all members, and never twice on the same connections.
  std::uint64_t number = 1;
  bool has_result = false;
  int rank = 0;
  int world_size = 1;     ///< no sum can count more
  double timeout = 30.0;  ///< seconds without progress
};

/// One pass up and down the tree, block by block and pipelined: children's sums are added to this worker's,
/// the total goes up, the result comes down. A state machine like Meeting, turned by the communication thread
/// while the trainer waits inside a call of its own (so the gate is held for the whole pass and x is this
/// object's to write).
///
/// A member that completed this average before, in an attempt that broke for others, says so (`has_result`):
/// then the result that it keeps goes up in place of a sum, whoever passes it on drops the sums beside it,
/// and it comes down to all: that result stands. Its own x stays as it is: with a synchronous algorithm it
/// may be a step further. The result is written to a copy and becomes x only when it is complete: a broken
/// pass changes nothing.
///
/// Every block carries the pass's number and a checksum; one that does not match is refused, and so is one
/// that counts nobody, or more workers than there are. After a complete pass the connections are in step and
/// serve the next one; after a broken one, close them. Sums are float32, added in the tree's order: the
/// result is the same to the bit on every worker and in every run of the same tree. Values that are not
/// finite are averaged like any others (squared_distance() then tells). All calls from the communication
/// thread; replica and connections must outlive the object. With devices, advance() may throw DeviceError.
class TreePass {
 public:
  /// Throws ConfigurationError when there is no memory for the copy.
  TreePass(Replica& replica, const TreeLinks& links, const TreePlan& plan, double now);
  ~TreePass();  ///< operations in flight keep their memory alive; their completions are ignored
  TreePass(const TreePass&) = delete;
  TreePass& operator=(const TreePass&) = delete;

  bool advance(double now);  ///< true: over
  /// The last advance() stopped because work on a device is not done: look again within microseconds.
  bool device_busy() const;
  /// All blocks have been exchanged, and x is being replaced: who drops the pass now leaves a part of it
  /// behind.
  bool committing() const;
  bool complete() const;
  const std::string& error() const;  ///< why not; names the peer
  /// Averages, once complete: how many workers the result counts (with has_result somewhere: that earlier
  /// attempt's). kBroadcast: 0.
  int members() const;
  /// kFinalAverage, once complete: which ones, ascending. Empty otherwise.
  const std::vector<int>& counted() const;
  /// kFinalAverage: ‖(x + d) − mean (x + d)‖² of this worker, over the parameters, without statistics; the
  /// mean is over the workers that the result counts. 0 with has_result.
  double squared_distance() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace duet::exchange
