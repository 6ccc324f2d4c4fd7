#include "dashboard/data/feed.h"

#include <exception>
#include <utility>

namespace duet::dashboard {

namespace {

observer::ObserverOptions bounded() {
  observer::ObserverOptions options;
  options.most_frames = Feed::kMostFrames;
  return options;
}

/// When there is more that is due already: the event loop gets its turn in between.
constexpr int kSoon = 1;

}  // namespace

Feed::Feed(std::unique_ptr<observer::Source> source, QObject* parent)
    : QObject(parent), observer_(std::move(source), bounded()) {
  timer_.setSingleShot(true);
  connect(&timer_, &QTimer::timeout, this, &Feed::poll);
}

Feed::~Feed() = default;

void Feed::start() {
  timer_.start(0);
}
void Feed::stop() {
  timer_.stop();
}

void Feed::poll() {
  const observer::Update& update = observer_.poll();
  timer_.start(update.more ? kSoon : kInterval);
  tell(update);
}

void Feed::poll_at(double now) {
  for (bool more = true; more;) {
    const observer::Update& update = observer_.poll(now);
    more = update.more;
    tell(update);
  }
}

void Feed::tell(const observer::Update& update) {
  if (update.changed || update.restarted) {
    Q_EMIT updated(observer_.snapshot(), update);
  } else {
    Q_EMIT ticked(observer_.snapshot());
  }
}

bool Feed::start_recording(const QString& path, bool overwrite, QString* reason) {
  try {
    observer_.start_recording(path.toLocal8Bit().toStdString(), overwrite);
    return true;
  } catch (const std::exception& error) {
    if (reason != nullptr) *reason = QString::fromUtf8(error.what());
    return false;
  }
}

void Feed::stop_recording() {
  observer_.stop_recording();
}

}  // namespace duet::dashboard
