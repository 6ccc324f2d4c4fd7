#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exchange/meeting.h"
#include "exchange/replica.h"
#include "transport/transport.h"

namespace duet::exchange {

/// The live connections of this worker to its parent and children in the members' tree, for bulk data.
struct TreeLinks {
  transport::Connection* parent = nullptr;  ///< null: this worker is the root
  std::vector<transport::Connection*> children;
};

enum class TreeOperation {
  kBroadcast,  ///< x = the root's x everywhere; d = z = 0
  kAverage,    ///< x = Σ (x + d + ½z) / members, everywhere; d = z = 0
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
class TreePass {
 public:
  TreePass(Replica& replica, TreeLinks links, TreeOperation operation, std::uint64_t attempt, bool has_result,
           double timeout, double now);
  ~TreePass();
  TreePass(const TreePass&) = delete;
  TreePass& operator=(const TreePass&) = delete;

  bool advance(double now);  ///< true: over
  bool complete() const;
  const std::string& error() const;  ///< why not
  int members() const;               ///< that the average counts
  /// kAverage: ‖(x + d) − result‖² of this worker, exact.
  double squared_distance() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace duet::exchange
