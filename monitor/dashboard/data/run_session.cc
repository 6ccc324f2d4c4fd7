#include "dashboard/data/run_session.h"

#include <algorithm>
#include <utility>

namespace duet::dashboard {

namespace {
const observer::Snapshot& nothing() {
  static const observer::Snapshot empty;
  return empty;
}
}  // namespace

RunSession::RunSession(const Theme& theme, StoreOptions options, QObject* parent)
    : QObject(parent), store(options), workers(theme), events(theme) {}

RunSession::~RunSession() = default;

const observer::Snapshot& RunSession::snapshot() const {
  return feed_ ? feed_->snapshot() : nothing();
}

void RunSession::open(std::unique_ptr<observer::Source> source, bool running) {
  // As long as the former is still there: panels hold on to its snapshot until they are told of another.
  observer::Update restart;
  restart.restarted = true;
  take(nothing(), restart);
  feed_.reset();
  selection.focus(std::nullopt);
  selection.reset();
  view.go_live();
  feed_ = std::make_unique<Feed>(std::move(source));
  connect(feed_.get(), &Feed::updated, this, &RunSession::take);
  connect(feed_.get(), &Feed::ticked, this, [this](const observer::Snapshot& snapshot) {
    store.advance(snapshot);
    view.set_extent(store.extent());
    workers.advance(snapshot);
    Q_EMIT ticked(snapshot);
  });
  Q_EMIT opened();
  if (running) feed_->start();
}

void RunSession::take(const observer::Snapshot& snapshot, const observer::Update& update) {
  store.apply(snapshot, update);
  selection.set_workers(static_cast<int>(snapshot.workers.size()));
  workers.apply(snapshot, update);
  events.apply(update, store.origin());
  // The panels first: a new beginning made pointers into the store void.
  Q_EMIT updated(snapshot, update);
  view.set_extent(store.extent());
}

void RunSession::set_theme(const Theme& theme) {
  workers.set_theme(theme);
  events.set_theme(theme);
}

}  // namespace duet::dashboard
