#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "duet/export.h"
#include "duet/observer/diagnosis.h"
#include "duet/observer/events.h"
#include "duet/observer/snapshot.h"
#include "duet/observer/source.h"

/// Watches a run: takes a source's frames and computes what no worker knows alone.
///
///     duet::observer::Observer observer(duet::observer::make_live_source({.address = "node0:29800"}));
///     for (;;) {
///       const auto& update = observer.poll();          // never waits
///       for (const auto& tick : update.consensus) plot(tick.time, tick.mean);
///       show(observer.snapshot().workers);
///       sleep(0.1);
///     }
///
/// Neither slows the run down: an observer that is slow loses frames, which are counted.
namespace duet::observer {

struct ObserverOptions {
  /// Rates are taken over this many seconds.
  double rate_window = 5.0;
  /// A tick is closed when all members reported it, or this many seconds after its first report.
  double tick_patience = 2.0;
  DiagnosisLimits limits;
  std::size_t most_events = 2000;     ///< that Snapshot::events keeps
  std::size_t most_frames = 20000;    ///< that one poll() takes; Update::more says that there are more
  std::size_t most_meetings = 20000;  ///< that one Update holds; beyond, the oldest go
};

struct RecordingStatus {
  std::string path;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t dropped = 0;  ///< the disk was too slow
  std::string problem;        ///< not empty: it ended, and this is why (disk full)
};

/// All calls from one thread. A live source receives on a thread of its own, a recording is written on one;
/// both end within a second of the destructor's call.
class DUET_API Observer {
 public:
  explicit Observer(std::unique_ptr<Source> source, ObserverOptions options = {});
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// Takes what is due, and brings the snapshot up to date. Never waits. What it returns is valid until the
  /// next call. Without an argument by this machine's monotonic clock; else at `now`, seconds that must not
  /// go backwards (tests and pictures drive a demo or a replay with it).
  const Update& poll();
  const Update& poll(double now);

  /// As of the last poll(); a reference that stays valid, to what the next poll() changes.
  const Snapshot& snapshot() const;
  SourceStatus status() const;
  /// nullptr where the source is bound to the present.
  Playback* playback();

  /// From now on every frame goes, as it arrived, into a new file too; make_replay_source() reads it, also
  /// while it is being written. Throws ConfigurationError: the file is there already (unless `overwrite`) or
  /// cannot be made.
  void start_recording(const std::string& path, bool overwrite = false);
  void stop_recording();
  /// nullopt: none was started, or it was stopped.
  std::optional<RecordingStatus> recording() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace duet::observer
