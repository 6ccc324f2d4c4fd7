#include "run_watch.h"

#include "duet/error.h"

namespace duet::exporter {

RunWatch::RunWatch(const observer::LiveOptions& live, const RunViewOptions& options)
    : options_(options), observer_(observer::make_live_source(live)) {}

bool RunWatch::poll() {
  const std::lock_guard lock(mutex_);
  const bool more = observer_.poll().more;
  // What starts this program anew will do better than it could by itself.
  const observer::SourceStatus status = observer_.status();
  if (status.state == observer::SourceState::kEnded) throw Error(status.text);
  return more;
}

std::string RunWatch::take_news() {
  observer::SourceStatus status;
  std::string run_id;
  {
    const std::lock_guard lock(mutex_);
    status = observer_.status();
    run_id = observer_.snapshot().run.run_id;
  }
  const bool running = status.state == observer::SourceState::kRunning;
  if (status.state == told_ && (!running || run_id == told_run_)) return "";
  // The first frame is decoded a moment before it shows in the snapshot.
  if (running && run_id.empty()) return "";
  told_ = status.state;
  told_run_ = run_id;
  if (running) return "run " + run_id + " is heard through " + status.name;
  return status.text.empty() ? std::string(observer::to_string(status.state)) : status.text;
}

RunView RunWatch::view() const {
  const std::lock_guard lock(mutex_);
  return run_view(observer_.snapshot(), observer_.status(), options_);
}

}  // namespace duet::exporter
