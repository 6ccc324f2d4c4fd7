#pragma once

#include <cuda.h>
#include <nccl.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "cuda_driver.h"
#include "failure.h"
#include "nccl_library.h"
#include "ticket.h"
#include "waker.h"

namespace duet::nccl {

/// An NCCL communicator of two ranks, or of one that sends to itself, with a stream of its own: opened,
/// polled and released without ever blocking. Thread-safe: the two ends of a pair in one process share one.
///
/// Releasing is ncclCommAbort() in a thread of its own, which may take long; it owns the communicator, stream
/// and events from then on and keeps this object alive. Abort also ends healthy ones: ncclCommDestroy() waits
/// for the other ranks of the machine, which may be dead.
class Communicator : public std::enable_shared_from_this<Communicator> {
 public:
  struct Piece {
    bool send = false;
    void* data = nullptr;
    std::uint64_t bytes = 0;
  };
  enum class Phase { kOpening, kReady, kReleasing, kReleased };
  struct Report {
    Phase phase = Phase::kOpening;
    std::uint64_t groups_finished = 0;
    std::optional<Failure> failure;  ///< it has to be released
  };

  /// ranks 1: `rank` 0, and all sends go to itself. Failures are told by look().
  static std::shared_ptr<Communicator> open(std::shared_ptr<const Device> device, const NcclLibrary& library,
                                            const UniqueId& id, int ranks, int rank, int ctas);
  ~Communicator();  ///< released, or never came about
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  /// Whom to wake when it is released.
  void add_waker(std::shared_ptr<const Waker> waker);
  /// Makes progress.
  Report look();
  /// The next group, all of whose pieces may run at the same time. Empty pieces are left out.
  void launch(std::vector<Piece> pieces);
  /// At most once has an effect.
  void release();

 private:
  struct PrivateTag {};

 public:
  Communicator(PrivateTag, std::shared_ptr<const Device> device, const NcclLibrary& library, int ranks,
               int rank);

 private:
  void begin(const UniqueId& id, int ctas);
  void progress();
  void enqueue();
  void record();
  void fail_nccl(const char* what, ncclResult_t result);
  bool fail_cuda(const char* what, CUresult result);
  void destroy_device_objects();
  void tear_down();

  const std::shared_ptr<const Device> device_;
  const NcclLibrary& library_;
  const int ranks_;
  const int peer_;
  const int rank_;

  std::mutex mutex_;  // guards all below
  Phase phase_ = Phase::kOpening;
  std::optional<Failure> failure_;
  ncclComm_t communicator_ = nullptr;
  CUstream stream_ = nullptr;
  std::deque<std::vector<Piece>> waiting_;
  bool enqueuing_ = false;       // NCCL is still at it
  std::deque<CUevent> running_;  // one for each group on the device, in order
  std::vector<CUevent> spare_events_;
  std::uint64_t groups_finished_ = 0;
  std::vector<std::shared_ptr<const Waker>> wakers_;
};

}  // namespace duet::nccl
