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
};

/// One pass up and down the tree, block by block and pipelined: children's sums are added to this worker's,
/// the total goes up, the result comes down. A state machine like Meeting, turned by the communication thread
/// while the trainer waits inside a call of its own (so the gate is held for the whole pass and x is this
/// object's to write).
///
/// A member that already has the result of an earlier, broken attempt says so (`has_result`): then its x goes
/// up in place of a sum, whoever passes it on drops the sums beside it, and it comes down to all: that result
/// stands. The result is written to a copy and becomes x only when it is complete: a broken pass changes
/// nothing.
///
/// Every block carries the attempt, a number that all members must hand in alike and that must not come back
/// on the same connections, and a checksum. After a complete pass the connections are in step and serve the
/// next one; after a broken one, close them. Sums are float32, added in the tree's order: the result is the
/// same to the bit on every worker and in every run of the same tree. Values that are not finite are averaged
/// like any others (squared_distance() then tells). All calls from the communication thread; replica and
/// connections must outlive the object. With devices, advance() may throw DeviceError.
class TreePass {
 public:
  /// timeout: seconds without progress. Throws ConfigurationError when there is no memory for the copy.
  TreePass(Replica& replica, const TreeLinks& links, TreeOperation operation, std::uint64_t attempt,
           bool has_result, double timeout, double now);
  ~TreePass();  ///< operations in flight keep their memory alive; their completions are ignored
  TreePass(const TreePass&) = delete;
  TreePass& operator=(const TreePass&) = delete;

  bool advance(double now);  ///< true: over
  /// The last advance() stopped because work on a device is not done: look again within microseconds.
  bool device_busy() const;
  bool complete() const;
  const std::string& error() const;  ///< why not; names the peer
  /// kAverage, once complete: how many workers the result counts (with has_result somewhere: that earlier
  /// attempt's). kBroadcast: 0.
  int members() const;
  /// kAverage: ‖(x + d) − result‖² of this worker, exact; over the parameters, without statistics.
  double squared_distance() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace duet::exchange
