#include "replay_source.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace duet::observer {

ReplaySource::ReplaySource(const std::string& path, const ReplayOptions& options)
    : reader_(path),
      name_(path.substr(path.rfind('/') + 1)),
      options_(options),
      playing_(options.playing),
      speed_(1.0),
      position_(reader_.begin()) {
  ReplaySource::set_speed(options.speed);
}

bool ReplaySource::take(double now, std::size_t most, std::vector<Arrival>& into) {
  const double passed = taken_at_ < 0.0 ? 0.0 : std::max(0.0, now - taken_at_);
  taken_at_ = now;
  const bool behind = next_ < reader_.frames() && reader_.time(next_) < position_;
  // Who cannot keep up gets everything, later: time stands still until it is handed out.
  if (playing_ && !behind) position_ = std::min(end(), position_ + passed * speed_);
  std::size_t count = 0;
  for (; next_ < reader_.frames() && reader_.time(next_) <= position_ && count < most; ++next_, ++count) {
    Arrival arrival;
    if (!reader_.read(next_, arrival)) {
      problem_ = "the file was changed while it is played: what is left of it cannot be read";
      continue;
    }
    ++frames_;
    bytes_ += arrival.bytes.size();
    into.push_back(std::move(arrival));
  }
  return next_ < reader_.frames() && reader_.time(next_) <= position_;
}

double ReplaySource::time(double /*now*/) const {
  // While frames wait to be handed out, ages are counted from those that were.
  if (next_ < reader_.frames() && reader_.time(next_) < position_) return reader_.time(next_);
  return position_;
}

SourceStatus ReplaySource::status() const {
  SourceStatus status;
  status.kind = SourceKind::kReplay;
  const bool ended = next_ >= reader_.frames() && position_ >= end();
  status.state = ended ? SourceState::kEnded : playing_ ? SourceState::kRunning : SourceState::kPaused;
  status.name = name_;
  status.text = problem_.empty() ? reader_.break_text() : problem_;
  status.frames = frames_;
  status.bytes = bytes_;
  return status;
}

void ReplaySource::play() {
  if (position_ >= end()) seek(begin());
  playing_ = true;
}

void ReplaySource::set_speed(double speed) {
  speed_ = std::isnan(speed) ? 1.0 : std::clamp(speed, kSlowest, kFastest);
}

void ReplaySource::seek(double time) {
  const double target = std::isnan(time) ? begin() : std::clamp(time, begin(), end());
  // A step ahead passes through what lies between.
  if (target < position_ || target - position_ > options_.history) restart_at(target);
  position_ = target;
}

void ReplaySource::restart_at(double time) {
  ++generation_;
  next_ = reader_.first_at(time - options_.history);
}

std::unique_ptr<Source> make_replay_source(const std::string& path, const ReplayOptions& options) {
  return std::make_unique<ReplaySource>(path, options);
}

}  // namespace duet::observer
