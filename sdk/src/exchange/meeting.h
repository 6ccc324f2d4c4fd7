#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "duet/algorithm.h"
#include "exchange/replica.h"
#include "transport/transport.h"

namespace duet::exchange {

/// Staging buffers, one set for a worker's life: `depth` pairs (snapshot, received), each a header and a
/// block. They are lent to the transport while operations are in flight, so they outlive every meeting (and
/// are only let go after the transport's context is closed).
class Staging;
std::shared_ptr<Staging> make_staging(const Replica& replica, DType wire, int depth);

struct MeetingPlan {
  std::uint64_t meeting = 0;
  std::uint64_t token = 0;
  MeetingCoefficients coefficients;
  DType wire = DType::kFloat32;
  double timeout = 10.0;  ///< seconds without progress until it is broken off
};

struct MeetingResult {
  bool complete = false;
  std::string error;      ///< why not
  bool rejected = false;  ///< a block was refused: wrong length, checksum, or not finite
  bool connection_usable =
      true;  ///< false: close it; operations may be in flight, or the streams out of step
  std::size_t blocks_applied = 0;
  double squared_distance = 0.0;  ///< ‖s − r‖² over the blocks applied
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

/// The block pipeline of one meeting, a state machine that the communication thread turns: snapshot block k,
/// post it, meanwhile check and apply block k − 1 while it is in cache. It enters the gate for one block at a
/// time and never waits in there. A block that does not match (length, meeting, index, checksum seeded with
/// the token) or is not finite ends the meeting and never reaches d or z; blocks that were not reached are
/// mixed all the same, so that the worker's clock stays one number.
class Meeting {
 public:
  Meeting(Replica& replica, transport::Connection& connection, std::shared_ptr<Staging> staging,
          const MeetingPlan& plan, double now);
  ~Meeting();  ///< operations in flight keep the staging alive; their completions are ignored
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  /// Does what can be done now. True: over, see result(). `now`: seconds, monotonic. Call it after every
  /// Context::poll() and at least every few milliseconds while gate_busy().
  bool advance(double now);
  bool gate_busy() const;              ///< the last advance() stopped because the trainer was inside the gate
  void abort(const std::string& why);  ///< e.g. the peer is gone; advance() then ends it
  const MeetingResult& result() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace duet::exchange
