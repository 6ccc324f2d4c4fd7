#pragma once

#include <QObject>
#include <memory>

#include "dashboard/data/event_model.h"
#include "dashboard/data/feed.h"
#include "dashboard/data/selection.h"
#include "dashboard/data/series_store.h"
#include "dashboard/data/time_view.h"
#include "dashboard/data/worker_model.h"

namespace duet::dashboard {

/// One run that is watched: its feed and all that is made of it. Without widgets; whoever embeds parts of the
/// dashboard makes one of these and hands its parts to the panels that they want. Everything happens on the
/// GUI thread.
class RunSession : public QObject {
  Q_OBJECT

 public:
  explicit RunSession(const Theme& theme, StoreOptions options = {}, QObject* parent = nullptr);
  ~RunSession() override;

  /// Watches this from now on; what was watched before is let go of and forgotten. `running`: by the GUI's
  /// clock; else feed().poll_at() is the caller's.
  void open(std::unique_ptr<observer::Source> source, bool running = true);
  bool is_open() const { return feed_ != nullptr; }
  /// Only while is_open().
  Feed& feed() { return *feed_; }
  const observer::Snapshot& snapshot() const;
  void set_theme(const Theme& theme);

  SeriesStore store;
  TimeView view;
  Selection selection;
  WorkerModel workers;
  EventModel events;

 Q_SIGNALS:
  /// Another source: what panels remember of the former is void.
  void opened();
  /// The models have it already. Valid during the call: connect directly.
  void updated(const duet::observer::Snapshot& snapshot, const duet::observer::Update& update);
  void ticked(const duet::observer::Snapshot& snapshot);

 private:
  void take(const observer::Snapshot& snapshot, const observer::Update& update);

  std::unique_ptr<Feed> feed_;
};

}  // namespace duet::dashboard
