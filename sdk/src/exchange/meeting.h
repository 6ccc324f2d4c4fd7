#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "duet/algorithm.h"
#include "duet/status.h"
#include "exchange/replica.h"
#include "transport/transport.h"

namespace duet::exchange {

/// Staging buffers, one set for a worker's life: `depth` pairs (snapshot, received), each a header and a
/// block (staging.h). They are lent to the transport while operations are in flight, so they outlive every
/// meeting; the replica must outlive them. capabilities, only_device: the transport's (transport::Context),
/// which decide where blocks of devices pass through. Throws ConfigurationError when depth < 1.
class Staging;
std::shared_ptr<Staging> make_staging(const Replica& replica, DType wire, int depth,
                                      std::uint64_t capabilities = 0, int only_device = -1);

struct MeetingPlan {
  std::uint64_t meeting = 0;
  std::uint64_t token = 0;
  MeetingCoefficients coefficients;
  DType wire = DType::kFloat32;  ///< as the staging was made for
  double timeout = 10.0;         ///< seconds without progress until it is broken off
};

struct MeetingResult {
  bool complete = false;
  std::string error;                             ///< why not
  FailureReason reason = FailureReason::kOther;  ///< the same for counts
  bool rejected = false;  ///< a block was refused: wrong length, checksum, or not finite
  RejectReason refused_for = RejectReason::kHeader;  ///< where one was
  bool connection_usable =
      true;  ///< false: close it; operations may be in flight, or the streams out of step
  std::size_t blocks_applied = 0;
  double squared_distance = 0.0;  ///< ‖s − r‖² over the blocks applied; parameters only
  std::uint64_t bytes_sent = 0;   ///< headers included, of operations that completed
  std::uint64_t bytes_received = 0;
};

/// The block pipeline of one meeting, a state machine that the communication thread turns: snapshot block k,
/// post it, meanwhile check and apply block k − 1 while it is in cache. It enters the gate for one block at a
/// time and never waits in there. A block that does not match (length, meeting, index, checksum seeded with
/// the token) or is not finite ends the meeting and never reaches d or z; blocks that were not reached are
/// mixed all the same, so that the worker's clock stays one number.
///
/// Blocks are applied once, in order. A meeting is complete for this worker when all of its blocks were sent
/// and all of the peer's applied. When it breaks, the two may differ by the blocks in flight (at most
/// Staging::depth() of them): a block whose snapshot was sent, but whose counterpart never came, is not
/// applied here and may be over there. That moves the run's invariant by at most α‖m‖ over those blocks, and
/// no two workers can do better: the last to send cannot know whether it arrived.
///
/// Parameters take part in every meeting; statistics (BufferRole) in those that the token picks, with plain
/// averaging.
///
/// Both sides have equally many blocks in flight (or refuse each other's first). Then nobody waits in a
/// circle, whatever the transport holds back: block k is posted by who has applied block k − depth, which its
/// peer must have sent, and everything up to there the peer can apply.
///
/// After a meeting that is not complete, close the connection: its operations end then, and their staging
/// comes back. All calls from the communication thread; replica, connection and Context must outlive the
/// object.
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
  /// The last advance() stopped because work on a device is not done: look again within microseconds.
  bool device_busy() const;
  bool gate_busy() const;              ///< the last advance() stopped because the trainer was inside the gate
  void abort(const std::string& why);  ///< the peer is gone, or let go of it; advance() then ends it
  const MeetingResult& result() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::exchange
