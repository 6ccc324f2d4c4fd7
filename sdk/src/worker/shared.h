#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "duet/status.h"
#include "telemetry/histogram.h"
#include "worker/wake_up.h"

namespace duet::worker {

/// All that the trainer's thread and the communication thread share, but for the replica (whose rules are in
/// exchange/replica.h) and the requests (communication.h). Every member says who writes it.
struct Shared {
  // ---- written by the trainer
  std::atomic<std::uint64_t> steps{0};
  std::atomic<std::uint64_t> samples{0};
  std::atomic<double> loss{0.0};
  std::atomic<std::uint64_t> losses{0};  ///< how often one was reported; after `loss`
  std::atomic<double> gate_seconds{0.0};
  std::atomic<double> peer_wait_seconds{0.0};
  telemetry::AtomicHistogram step_duration;
  WakeUp wake_up;

  // ---- written by the communication thread
  /// Of all workers that ever were members, as far as known here.
  std::atomic<std::uint64_t> run_samples{0};
  std::atomic<std::uint64_t> run_steps{0};
  std::atomic<bool> failed{false};  ///< the thread has ended early; `failure` says why
  mutable std::mutex mutex;         ///< guards what follows; held for copies only
  RunStatus status;
  WorkerStatistics statistics;
  std::vector<int> lost;
  std::vector<MemberStatus> members;
  /// Written by whoever serves metrics, guarded likewise; told to the others at the next heartbeat.
  std::string metrics_address;
  std::atomic<bool> metrics_changed{false};
  std::string failure;
};

/// For a count that several sources know in part, written by one thread alone: it never falls.
inline void raise(std::atomic<std::uint64_t>& count, std::uint64_t value) {
  count.store(std::max(count.load(std::memory_order_relaxed), value), std::memory_order_relaxed);
}

}  // namespace duet::worker
