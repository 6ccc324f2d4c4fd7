#include "duet/observer/observer.h"

#include <chrono>
#include <utility>
#include <vector>

#include "recorder.h"
#include "run_model.h"

namespace duet::observer {

class Observer::Impl {
 public:
  Impl(std::unique_ptr<Source> source, ObserverOptions options)
      : source_(std::move(source)), options_(options), model_(options) {}

  const Update& poll(double now) {
    arrivals_.clear();
    const bool more = source_->take(now, options_.most_frames, arrivals_);
    if (source_->generation() != generation_) {
      generation_ = source_->generation();
      model_.restart();
    }
    for (const Arrival& arrival : arrivals_) {
      if (recorder_) recorder_->add(arrival);
      model_.take(arrival);
    }
    follow_connection(now);
    follow_recording(now);
    // With more waiting, time has come only as far as what was taken; nobody is silent because we are slow.
    if (!more) {
      model_.settle(source_->time(now));
    } else if (!arrivals_.empty()) {
      model_.settle(arrivals_.back().time);
    }
    model_.take_update(update_);
    update_.more = more;
    return update_;
  }

  const Snapshot& snapshot() const { return model_.snapshot(); }
  SourceStatus status() const { return source_->status(); }
  Playback* playback() { return source_->playback(); }

  void start_recording(const std::string& path, bool overwrite) {
    recorder_.reset();  // the former one is complete before a new one takes its place
    recorder_ = std::make_unique<Recorder>(path, overwrite);
    recording_failed_ = false;
    note_ = "recording to " + path;
  }
  void stop_recording() {
    if (!recorder_) return;
    const std::string path = recorder_->status().path;
    recorder_.reset();
    note_ = "recorded to " + path;
  }
  std::optional<RecordingStatus> recording() const {
    return recorder_ ? std::optional(recorder_->status()) : std::nullopt;
  }

 private:
  void follow_connection(double now) {
    const SourceStatus status = source_->status();
    if (status.kind != SourceKind::kLive || status.state == state_) return;
    if (status.state == SourceState::kReconnecting) {
      model_.note(source_->time(now), EventKind::kDisconnected, Severity::kWarning,
                  status.text.empty() ? "no worker is heard any more: reconnecting" : status.text);
    } else if (status.state == SourceState::kEnded) {
      model_.note(source_->time(now), EventKind::kDisconnected, Severity::kError, status.text);
    } else if (status.state == SourceState::kRunning && state_ == SourceState::kReconnecting) {
      model_.note(source_->time(now), EventKind::kConnected, Severity::kInfo, "the run is heard again");
    }
    state_ = status.state;
  }

  void follow_recording(double now) {
    if (!note_.empty())
      model_.note(source_->time(now), EventKind::kRecording, Severity::kInfo, std::exchange(note_, {}));
    if (!recorder_ || recording_failed_) return;
    const RecordingStatus status = recorder_->status();
    if (status.problem.empty()) return;
    recording_failed_ = true;
    model_.note(source_->time(now), EventKind::kRecording, Severity::kError, status.problem);
  }

  std::unique_ptr<Source> source_;
  ObserverOptions options_;
  RunModel model_;
  std::uint64_t generation_ = 0;
  SourceState state_ = SourceState::kConnecting;
  std::vector<Arrival> arrivals_;
  Update update_;
  std::unique_ptr<Recorder> recorder_;
  bool recording_failed_ = false;
  std::string note_;  ///< about the recording, for the next poll
};

Observer::Observer(std::unique_ptr<Source> source, ObserverOptions options)
    : impl_(std::make_unique<Impl>(std::move(source), options)) {}
Observer::~Observer() = default;

const Update& Observer::poll() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return poll(std::chrono::duration<double>(now).count());
}
const Update& Observer::poll(double now) {
  return impl_->poll(now);
}
const Snapshot& Observer::snapshot() const {
  return impl_->snapshot();
}
SourceStatus Observer::status() const {
  return impl_->status();
}
Playback* Observer::playback() {
  return impl_->playback();
}
void Observer::start_recording(const std::string& path, bool overwrite) {
  impl_->start_recording(path, overwrite);
}
void Observer::stop_recording() {
  impl_->stop_recording();
}
std::optional<RecordingStatus> Observer::recording() const {
  return impl_->recording();
}

}  // namespace duet::observer
