#pragma once

#include <QObject>
#include <QString>
#include <QTimer>
#include <memory>
#include <optional>

#include "duet/observer/observer.h"

namespace duet::dashboard {

/// Takes a run's frames at the GUI's pace: a timer drains the observer's inbox, a bounded number of frames at
/// a time, and tells everyone what changed. The source receives on a thread of its own and drops the oldest
/// when nobody drains, so that neither side can hold up the other. It goes on while plots are paused.
class Feed : public QObject {
  Q_OBJECT

 public:
  static constexpr int kInterval = 50;             ///< ms between two drains
  static constexpr std::size_t kMostFrames = 600;  ///< in one drain: some 10 ms

  explicit Feed(std::unique_ptr<observer::Source> source, QObject* parent = nullptr);
  ~Feed() override;

  void start();
  void stop();
  /// Drains once, as the timer does.
  void poll();
  /// By a clock of the caller's own, for pictures and tests; takes all that is due. `now` must not go
  /// backwards.
  void poll_at(double now);

  const observer::Snapshot& snapshot() const { return observer_.snapshot(); }
  observer::SourceStatus status() const { return observer_.status(); }
  /// nullptr: bound to the present.
  observer::Playback* playback() { return observer_.playback(); }

  /// False, and *reason: it cannot be written.
  bool start_recording(const QString& path, bool overwrite, QString* reason);
  void stop_recording();
  std::optional<observer::RecordingStatus> recording() const { return observer_.recording(); }

 Q_SIGNALS:
  /// Valid during the call: connect directly.
  void updated(const duet::observer::Snapshot& snapshot, const duet::observer::Update& update);
  /// Nothing came, but time passes: ages grow.
  void ticked(const duet::observer::Snapshot& snapshot);

 private:
  void tell(const observer::Update& update);

  observer::Observer observer_;
  QTimer timer_;
};

}  // namespace duet::dashboard
