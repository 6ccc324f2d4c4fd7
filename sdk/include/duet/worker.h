#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "duet/algorithm.h"
#include "duet/buffer.h"
#include "duet/export.h"
#include "duet/options.h"
#include "duet/status.h"
#include "duet/topology.h"

namespace duet {

/// A member of a decentralised run: one replica of the parameters, trained here, averaged with its
/// neighbours' in the background (A²CiD², arXiv 2306.08289, algorithm 1; docs/concepts.md gives the form
/// implemented here).
///
/// Threads: all public functions are for the trainer's thread, except where noted. A communication thread of
/// its own does everything else; it reads the parameters only behind the gate, and the trainer alone writes
/// them, in step(), edit() and finish(). Buffers may be on devices: then "writes" means enqueues, in the
/// order of streams (docs/cuda.md), and everything that touches them may throw DeviceError. The trainer never
/// waits for a peer (but in the constructor, finish() and with synchronous algorithms, each with a deadline).
class DUET_API Worker {
 public:
  /// Joins the run and returns when every buffer holds rank 0's parameters (but see Options::keep_start).
  /// With world_size 1: at once, and step() is then just the update. Throws ConfigurationError,
  /// TransportError, MembershipError or TimeoutError.
  Worker(Options options, std::vector<Buffer> buffers);
  /// Leaves without averaging (unless finish() was called). Takes at most about a second; some seconds when a
  /// device hangs.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Takes delivery of the pending correction (x += d, d = 0), then runs `update`, both behind the gate, and
  /// adds to the meeting budget. `samples`: how many this update is worth. Whatever `update` throws passes
  /// through. Throws Error when called from within `update`. Of buffers on a device both are enqueued only,
  /// on the trainer's stream.
  void step(const std::function<void()>& update, std::uint64_t samples = 1);
  /// Runs `change`, which writes the parameters outside of step() (loading a state, an average copied back).
  void edit(const std::function<void()>& change);

  /// Buffers on devices (docs/cuda.md): the cudaStream_t on which the trainer works with the device's buffers
  /// from now on, instead of Buffer::stream. What is enqueued on it follows what was on the one before.
  /// Throws ConfigurationError when there is no buffer on that device.
  void set_stream(int device_index, void* stream);

  /// Whether the samples of all workers have reached Options::sample_goal. Thread-safe.
  bool done() const;
  /// The latest loss, for RunStatus::loss. Thread-safe.
  void report_loss(double loss);

  /// Ends training: goes on meeting until every live member has finished (or finish_timeout), then replaces
  /// the parameters by the exact mean over the members, Σ(x + d + ½z)/n. Throws TimeoutError when nobody can
  /// be reached.
  FinishResult finish();

  /// Everyone hands in a text; the lowest live rank gets all that arrive within `timeout` seconds, by rank;
  /// the others get an empty map. Call it on every worker, in the same order.
  /// Throws Error for a text over 16 MiB.
  std::map<int, std::string> gather(const std::string& text, double timeout = 10.0);

  /// Called in the communication thread after every meeting; must be quick. An empty one ends it: when
  /// on_meeting() returns, the old one is not running and will not be called again. The observer itself may
  /// call sketch(), status(), statistics() and on_meeting(); step(), edit(), finish() and gather() throw
  /// Error there.
  void on_meeting(std::function<void(const MeetingEvent&)> observer);
  /// The random projection (count sketch, 1,024 numbers) of the current position x + d, the same for all
  /// workers: the distance of two sketches estimates the distance of the positions. For the trainer's thread
  /// (not inside step()) and for the observer of on_meeting().
  std::vector<double> sketch();

  RunStatus status() const;             ///< thread-safe
  WorkerStatistics statistics() const;  ///< thread-safe
  std::vector<int> lost() const;        ///< ranks known to be gone; thread-safe
  /// All members, by rank, those that are gone included. Thread-safe.
  std::vector<MemberStatus> members() const;

  /// "tcp://127.0.0.1:29800": where this worker's telemetry is (docs/monitoring.md); empty: nowhere.
  std::string telemetry_address() const;
  /// "127.0.0.1:29700": where this worker's metrics are; empty: nowhere. Thread-safe.
  std::string metrics_address() const;
  /// Tells the others where this worker's metrics are; for who serves them otherwise than
  /// duet/exporter/exporter.h does. Empty: nowhere any more. Thread-safe.
  void set_metrics_address(const std::string& address);

  const Options& options() const;
  const Topology& topology() const;  ///< among all of the run, as it began
  int rank() const;
  int world_size() const;
  const std::string& run_id() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet
